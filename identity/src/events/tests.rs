use super::*;
use crate::{
    current::CurrentAuthority,
    testing::{FOO, Hands, api_server, metrics, start},
};
use linkerd_controller::tasks::Tasks;
use serde_json::json;

// Case 37.
#[test]
fn an_issued_certificate_is_an_event_of_its_account() {
    let account = ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() };
    let issued = Occurrence::IssuedLeafCertificate {
        account,
        identity: FOO.to_owned(),
        not_after: start(),
        fingerprint: "00ff".to_owned(),
    };
    let event = event(draft("linkerd", issued), "ns1".to_owned());
    assert_eq!(event.metadata.namespace.as_deref(), Some("ns1"));
    assert_eq!(event.involved_object.kind.as_deref(), Some("ServiceAccount"));
    assert_eq!(event.involved_object.name.as_deref(), Some("foo"));
    assert_eq!(event.reason.as_deref(), Some("IssuedLeafCertificate"));
    assert_eq!(event.type_.as_deref(), Some("Normal"));
    let expected = format!("issued certificate for {FOO} until 2026-03-01T12:00:00Z: 00ff");
    assert_eq!(event.message, Some(expected));
    assert_eq!(event.source.unwrap().component.as_deref(), Some("linkerd-identity"));
}

#[test]
fn events_about_the_issuer_are_those_of_the_deployment() {
    let error = "boom".to_owned();
    let failed = Occurrence::IssuerValidationFailed { error: error.clone(), identity: FOO.to_owned() };
    for (occurrence, kind, reason, message) in [
        (Occurrence::IssuerUpdated, "Normal", "IssuerUpdated", "Updated identity issuer".to_owned()),
        (
            Occurrence::IssuerUpdateSkipped { error },
            "Warning",
            "IssuerUpdateSkipped",
            "Skipping issuer update as certs could not be read from disk: boom".to_owned(),
        ),
        (failed, "Warning", "IssuerValidationFailed", format!("boom - CSR Identity : {FOO}")),
    ] {
        let draft = draft("linkerd", occurrence);
        assert_eq!((draft.kind, draft.reason, draft.message), (kind, reason, message));
        assert_eq!(draft.object.api_version.as_deref(), Some("apps/v1"));
        assert_eq!(draft.object.namespace.as_deref(), Some("linkerd"));
        assert_eq!(draft.object.name.as_deref(), Some("linkerd-identity"));
    }
}

#[test]
fn events_that_do_not_fit_are_lost_and_counted() {
    let (tasks, _) = Tasks::new();
    let metrics = metrics(&tasks, &CurrentAuthority::default(), Hands::new().clock());
    let (events, _queue) = Events::queued(false, metrics);
    (0..QUEUE + 3).for_each(|_| events.emit(Occurrence::IssuerUpdated));
    assert!(tasks.metrics.encode().contains("identity_events_lost_total 3\n"));
}

#[tokio::test(start_paused = true)]
async fn repeats_are_counted_and_written_once_in_a_while() {
    let (client, calls) = api_server(201, json!({ "metadata": {}, "involvedObject": {} }));
    let (tasks, _) = Tasks::new();
    let metrics = metrics(&tasks, &CurrentAuthority::default(), Hands::new().clock());
    let mut writer = EventWriter::new(client, "linkerd".to_owned(), metrics);
    let skipped = |error: &str| draft("linkerd", Occurrence::IssuerUpdateSkipped { error: error.to_owned() });
    for error in ["one", "two", "three"] {
        writer.write(skipped(error)).await.unwrap();
    }
    writer.write(draft("linkerd", Occurrence::IssuerUpdated)).await.unwrap();
    assert_eq!(calls.lock().len(), 2, "one of each reason");
    tokio::time::advance(QUIET).await;
    writer.write(skipped("four")).await.unwrap();
    let (method, path, body) = calls.lock().last().cloned().unwrap();
    assert_eq!(method, "PATCH");
    assert!(path.starts_with("/api/v1/namespaces/linkerd/events/linkerd-identity."), "{path}");
    assert_eq!(body["count"], 4);
    assert!(body["message"].as_str().unwrap().ends_with(": four"));
    tokio::time::advance(FORGET).await;
    writer.write(skipped("five")).await.unwrap();
    assert_eq!(calls.lock().last().unwrap().0, "POST");
}
