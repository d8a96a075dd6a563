//! Watches against an API server that answers from a script, in virtual time.

use super::*;
use crate::{
    source::{ForeignWatches, Source, Watches},
    tasks::Tasks,
};
use http::{Request, Response};
use kube::client::Body;
use linkerd_k8s::Service;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// What the API server answers to one request, in order.
enum Answer {
    /// Lists are not streamed here.
    NoStreaming,
    /// The kind does not exist.
    Absent,
    /// The kind may not be seen.
    Forbidden,
    /// The server fails.
    Broken,
    /// A page of a list, and the token of the next.
    Page(Vec<Value>, Option<&'static str>),
    /// Events of a watch; it stays open after them.
    Events(Vec<String>),
}

#[derive(Clone, Default)]
struct ApiServer {
    script: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    fn scripted(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { script: Arc::new(Mutex::new(answers.into_iter().collect())), requests: Arc::default() }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = server.answer(&request);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        Client::new(service, "default")
    }

    fn answer(&self, request: &Request<Body>) -> Response<axum::body::Body> {
        self.requests.lock().push(request.uri().to_string());
        // When the script has ended, the watch stays open.
        let answer = self.script.lock().pop_front().unwrap_or(Answer::Events(Vec::new()));
        let respond = |code: u16, body: axum::body::Body| {
            let mut response = Response::new(body);
            *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
            response
        };
        let status = |code: u16, message: &str| {
            let body = json!({"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": "x"});
            respond(code, body.to_string().into())
        };
        match answer {
            Answer::NoStreaming => status(422, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden"),
            Answer::Absent => status(404, "the server could not find the requested resource"),
            Answer::Forbidden => status(403, "services is forbidden"),
            Answer::Broken => status(500, "etcd is away"),
            Answer::Page(items, next) => {
                let list = json!({"kind": "ServiceList", "apiVersion": "v1", "items": items,
                                  "metadata": {"resourceVersion": "10", "continue": next}});
                respond(200, list.to_string().into())
            }
            Answer::Events(events) => {
                let lines = events.concat();
                let lines = futures::stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(lines)));
                respond(200, axum::body::Body::from_stream(lines.chain(futures::stream::pending())))
            }
        }
    }
}

/// Names of Services and their first ports.
#[derive(Default)]
struct Ports(BTreeMap<String, u16>);

impl Sink<Service> for Ports {
    fn apply(&mut self, service: Service) {
        self.0.insert(service.metadata.name, service.spec.ports[0].port);
    }

    fn delete(&mut self, id: &ObjectId) {
        self.0.remove(&id.name);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.0.retain(|name, _| live.contains(&ObjectId::new("n", name)));
    }
}

fn service(name: &str, port: impl Into<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": port.into()}]},
           "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": "9"}})
}

/// A line of a watch. The type comes first, as the API server writes it.
fn event(kind: &str, object: Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

fn end_of_list() -> String {
    let metadata = json!({"resourceVersion": "10", "annotations": {"k8s.io/initial-events-end": "true"}});
    event("BOOKMARK", json!({"kind": "Service", "apiVersion": "v1", "metadata": metadata}))
}

fn gone() -> String {
    event(
        "ERROR",
        json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}),
    )
}

struct Run {
    tasks: Tasks,
    ports: Shared<Ports>,
    server: ApiServer,
}

fn run(need: Need, answers: impl IntoIterator<Item = Answer>) -> Run {
    let (tasks, _supervisor) = Tasks::new();
    let (ports, server) = (Shared::<Ports>::default(), ApiServer::scripted(answers));
    let watches = Watches::new(Source::Cluster(server.client()), &tasks);
    watches.watch_scoped::<Service, _>(&ports, need, Scope::default());
    Run { tasks, ports, server }
}

impl Run {
    /// Waits, in virtual time, until the index is so.
    async fn becomes(&self, expected: &[(&str, u16)]) {
        let expected: BTreeMap<_, _> = expected.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        for _ in 0..10_000 {
            if self.ports.lock().0 == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?} never became {expected:?}; requests: {:#?}", self.ports.lock().0, self.server.requests.lock());
    }

    fn is_ready(&self) -> bool {
        self.tasks.readiness.pending().is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_list_is_complete_at_its_bookmark() {
    let (web, emoji) = (event("ADDED", service("web", 80)), event("ADDED", service("emoji", 80)));
    let run =
        run(Need::Required, [Answer::Events(vec![web, emoji, end_of_list(), event("DELETED", service("web", 80))])]);
    run.tasks.readiness.wait().await;
    run.becomes(&[("emoji", 80)]).await;
    assert!(run.server.requests.lock()[0].contains("sendInitialEvents=true"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_stream_lists_is_listed_in_pages_of_100() {
    let first = Answer::Page(vec![service("web", 80)], Some("next"));
    let second = Answer::Page(vec![service("emoji", 80)], None);
    let run = run(Need::Required, [Answer::NoStreaming, first, second]);
    run.tasks.readiness.wait().await;
    run.becomes(&[("web", 80), ("emoji", 80)]).await;
    assert!(run.server.requests.lock()[1].contains("limit=100"));
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_etcd_is_too_old_to_stream_lists_is_listed_in_pages() {
    let refusal = event(
        "ERROR",
        json!({"kind": "Status", "status": "Failure", "code": 500, "reason": "InternalError",
               "message": "the required storage feature RequestWatchProgress is disabled"}),
    );
    let page = Answer::Page(vec![service("web", 80)], None);
    let run = run(Need::Required, [Answer::Events(vec![refusal]), page]);
    run.tasks.readiness.wait().await;
    run.becomes(&[("web", 80)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_half_way_deletes_nothing() {
    let all = || vec![service("web", 80), service("emoji", 80)];
    let run = run(
        Need::Required,
        [
            Answer::NoStreaming,
            Answer::Page(all(), None),
            Answer::Events(vec![gone()]),
            Answer::Page(vec![service("web", 80)], Some("next")),
            Answer::Broken,
        ],
    );
    run.becomes(&[("web", 80), ("emoji", 80)]).await;
    while run.server.requests.lock().len() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(run.ports.lock().0.len(), 2, "the list had failed");
    // The next list is complete, and says that one Service has gone meanwhile.
    run.server.script.lock().push_back(Answer::Page(vec![service("web", 81)], None));
    run.becomes(&[("web", 81)]).await;
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_stops_nothing_and_its_deletion_counts() {
    let events = vec![
        event("ADDED", service("web", 80)),
        event("ADDED", service("bad", "eighty")),
        end_of_list(),
        event("MODIFIED", service("web", "eighty")),
        event("DELETED", service("bad", "eighty")),
        event("ADDED", service("emoji", 80)),
    ];
    let run = run(Need::Required, [Answer::Events(events)]);
    run.becomes(&[("emoji", 80)]).await;
    assert!(run.is_ready());
    let metrics = run.tasks.metrics.encode();
    assert!(
        metrics.contains("kube_watch_undecodable_objects{kind=\"Service\",group=\"\",version=\"v1\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_optional_kind_that_is_absent_is_picked_up_when_it_appears_and_dropped_when_it_goes() {
    let run = run(Need::Optional, [Answer::Absent, Answer::Absent]);
    run.tasks.readiness.wait().await;
    let listed = vec![event("ADDED", service("web", 80)), end_of_list(), gone()];
    run.server.script.lock().push_back(Answer::Events(listed));
    run.becomes(&[("web", 80)]).await;
    run.server.script.lock().push_back(Answer::Absent);
    run.becomes(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_required_kind_that_is_absent_holds_back_readiness() {
    let run = run(Need::Required, [Answer::Absent]);
    while !run.server.script.lock().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(run.tasks.readiness.pending(), ["watch of services"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_seen_is_absent_until_it_may_and_then_kept() {
    let run = run(Need::IfPermitted, [Answer::Forbidden, Answer::Forbidden]);
    run.tasks.readiness.wait().await;
    run.becomes(&[]).await;
    let listed = vec![event("ADDED", service("web", 80)), end_of_list(), gone()];
    run.server.script.lock().push_back(Answer::Events(listed));
    run.becomes(&[("web", 80)]).await;
    // An API server that has just started forbids what it allows a moment later.
    run.server.script.lock().push_back(Answer::Forbidden);
    while !run.server.script.lock().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.becomes(&[("web", 80)]).await;
}

#[tokio::test(start_paused = true)]
async fn watches_of_another_cluster_end_when_they_are_dropped() {
    let (ports, server) = (Shared::<Ports>::default(), ApiServer::default());
    server.script.lock().push_back(Answer::Events(vec![event("ADDED", service("web", 80)), end_of_list()]));
    let mut watches = ForeignWatches::new("east", server.client());
    watches.watch::<Service, _>(&ports, Need::Required);
    let describe = watches.describe();
    while describe["services"]()["phase"] != "watching" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ports.lock().0.len(), 1);
    drop(watches);
    while Arc::strong_count(&ports) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
