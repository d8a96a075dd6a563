use super::*;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An API server that gives every object of these paths, and counts the questions.
fn api_server(answers: &'static [(&'static str, &'static str)]) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, std::convert::Infallible>(answer(request.uri().path(), answers)) }
    });
    (Lookup::new(Source::Cluster(Client::new(service, "default"))), asked)
}

fn answer(path: &str, answers: &[(&str, &str)]) -> Response<Body> {
    match answers.iter().find(|(known, _)| *known == path) {
        Some((_, metadata)) => Response::new(Body::from(format!(
            r#"{{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{metadata}}}"#
        ))),
        None => {
            let status =
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": ""});
            let mut response = Response::new(Body::from(status.to_string()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn replica_set(name: &str, uid: &str) -> Intermediate {
    Intermediate { kind: IntermediateKind::ReplicaSet, name: name.into(), uid: uid.into() }
}

const WEB: &str =
    r#"{"name":"web-1","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"d"}]}"#;

// Acceptance case 23.
#[tokio::test]
async fn an_owner_is_asked_for_once_however_many_pods_come() {
    let (lookup, asked) = api_server(&[("/apis/apps/v1/namespaces/n/replicasets/web-1", WEB)]);
    let between = replica_set("web-1", "r");
    let (first, second) = tokio::join!(lookup.owners("n", &between), lookup.owners("n", &between));
    assert_eq!(first.unwrap()[0].name, "web");
    assert_eq!(second.unwrap()[0].uid, "d");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // A namesake is another object.
    lookup.owners("n", &replica_set("web-1", "other")).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_owner_that_is_not_found_is_not_asked_for_again_at_once() {
    let (lookup, asked) = api_server(&[]);
    let between = replica_set("web-1", "r");
    assert_eq!(lookup.owners("n", &between).await, None);
    assert_eq!(lookup.owners("n", &between).await, None);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let answer = lookup.answer(&Key {
        kind: between.kind,
        namespace: "n".into(),
        name: between.name.clone(),
        uid: between.uid.clone(),
    });
    assert!(answer.is_fresh(answer.asked + Duration::from_secs(4)));
    assert!(!answer.is_fresh(answer.asked + UNKNOWN));
}

// Acceptance case 59.
#[tokio::test]
async fn a_namespace_that_is_new_is_asked_for() {
    let (lookup, _) = api_server(&[(
        "/api/v1/namespaces/n",
        r#"{"name":"n","annotations":{"linkerd.io/inject":"enabled","other":"x"}}"#,
    )]);
    let found = lookup.namespace("n").await.unwrap().unwrap();
    assert_eq!(found.annotations["linkerd.io/inject"], "enabled");
    assert_eq!(lookup.namespace("m").await.unwrap(), None);
}

#[test]
fn a_namespace_is_known_from_its_creation_to_its_deletion() {
    let mut known = Namespaces::new(&Metrics::default());
    let namespace = |name: &str| Namespace { metadata: Meta { name: name.into(), ..Meta::default() } };
    for name in ["a", "b", "c"] {
        known.apply(namespace(name));
    }
    known.delete(&ObjectId::new("", "a"));
    known.reset(&HashSet::from([ObjectId::new("", "b")]));
    assert!(known.get("a").is_none() && known.get("b").is_some() && known.get("c").is_none());
}
