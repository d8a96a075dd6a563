use super::{
    writer::{FORGET, QUIET},
    *,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn event(reason: &'static str, name: &str, message: &str) -> Event {
    let object = ObjectReference {
        kind: Some("Deployment".to_owned()),
        namespace: Some("linkerd".to_owned()),
        name: Some(name.to_owned()),
        ..ObjectReference::default()
    };
    Event { kind: EventKind::Warning, reason, object, message: message.to_owned(), repeats: Repeats::SameReason }
}

/// A request to an API server: method, path and body.
type Call = (String, String, Value);

/// A writer to an API server that answers everything with one status, and what that was asked.
fn writer(status: u16) -> (Writer, Arc<Mutex<Vec<Call>>>, Counter) {
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let recorded = calls.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let recorded = recorded.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await?)?;
            recorded.lock().push((head.method.to_string(), head.uri.path().to_owned(), body));
            let answer = json!({ "metadata": {}, "involvedObject": {} }).to_string().into_bytes();
            let response = http::Response::builder().status(status).body(kube::client::Body::from(answer));
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response?)
        }
    });
    let lost = Counter::default();
    (Writer::new(Client::new(service, "default"), "linkerd-test", lost.clone()), calls, lost)
}

#[test]
fn events_that_do_not_fit_are_lost_and_counted() {
    let lost = Counter::default();
    let (events, _queue) = Events::queued(lost.clone());
    (0..QUEUE + 3).for_each(|_| events.emit(event("Happened", "web", "so")));
    assert_eq!(lost.get(), 3);
    Events::none().emit(event("Happened", "web", "so"));
}

#[tokio::test]
async fn an_event_says_what_happened_to_which_object() {
    let (mut writer, calls, _) = writer(201);
    let long = "ä".repeat(1000);
    writer.write(event("Happened", "web", &long)).await.unwrap();
    let (method, path, body) = calls.lock()[0].clone();
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/api/v1/namespaces/linkerd/events"));
    assert!(body["metadata"]["name"].as_str().unwrap().starts_with("web."), "{body}");
    let expected = json!({ "kind": "Deployment", "namespace": "linkerd", "name": "web" });
    assert_eq!(body["involvedObject"], expected);
    assert_eq!((&body["type"], &body["reason"], &body["count"]), (&json!("Warning"), &json!("Happened"), &json!(1)));
    assert_eq!(body["source"]["component"], "linkerd-test");
    assert_eq!(body["message"].as_str().unwrap().len(), 1024, "the API server takes no more");
    let long_name = "n".repeat(253);
    writer.write(event("Happened", &long_name, "so")).await.unwrap();
    assert!(calls.lock()[1].2["metadata"]["name"].as_str().unwrap().len() <= 253);
}

#[tokio::test(start_paused = true)]
async fn repeats_are_counted_and_written_once_in_a_while() {
    let (mut writer, calls, _) = writer(201);
    for message in ["one", "two", "three"] {
        writer.write(event("Skipped", "web", message)).await.unwrap();
    }
    writer.write(event("Updated", "web", "so")).await.unwrap();
    writer.write(event("Skipped", "api", "so")).await.unwrap();
    assert_eq!(calls.lock().len(), 3, "one of each reason and object");
    tokio::time::advance(QUIET).await;
    writer.write(event("Skipped", "web", "four")).await.unwrap();
    let (method, path, body) = calls.lock().last().cloned().unwrap();
    assert_eq!(method, "PATCH");
    assert!(path.starts_with("/api/v1/namespaces/linkerd/events/web."), "{path}");
    assert_eq!((&body["count"], &body["message"]), (&json!(4), &json!("four")));
    tokio::time::advance(FORGET).await;
    writer.write(event("Skipped", "web", "five")).await.unwrap();
    assert_eq!(calls.lock().last().unwrap().0, "POST");
}

#[tokio::test(start_paused = true)]
async fn where_the_message_counts_another_one_is_another_event() {
    let (mut writer, calls, _) = writer(201);
    for message in ["one", "two", "one"] {
        let event = Event { repeats: Repeats::SameMessage, ..event("Skipped", "web", message) };
        writer.write(event).await.unwrap();
    }
    assert_eq!(calls.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_refuses_or_does_not_answer_costs_events_and_nothing_else() {
    let (refused, calls, lost) = writer(403);
    let (events, queue) = Events::queued(Counter::default());
    let running = tokio::spawn(refused.run(queue));
    (0..3).for_each(|_| events.emit(event("Happened", "web", "so")));
    while lost.get() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(calls.lock().len(), 3, "what was not written is no repeat");
    running.abort();

    let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
        std::future::pending::<Result<http::Response<kube::client::Body>, std::convert::Infallible>>()
    });
    let lost = Counter::default();
    let writer = Writer::new(Client::new(silent, "default"), "linkerd-test", lost.clone());
    let (events, queue) = Events::queued(Counter::default());
    let running = tokio::spawn(writer.run(queue));
    (0..2).for_each(|_| events.emit(event("Happened", "web", "so")));
    while lost.get() < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    running.abort();
}
