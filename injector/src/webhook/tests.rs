use super::*;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use linkerd_controller::{
    events::Event,
    source::{Objects, Sink},
};
use linkerd_k8s::Meta;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tower::ServiceExt;

const ANCHORS: &str = include_str!("../../tests/fixtures/trust-anchors.pem");

struct Fixture {
    router: axum::Router,
    events: mpsc::Receiver<Event>,
    metrics: linkerd_controller::metrics::Metrics,
    _folder: tempfile::TempDir,
}

/// A webhook that knows namespace `known`, while `fresh` exists but was not watched yet. Without
/// values it was never configured.
fn webhook(values: Option<&str>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths { values: folder.path().join("values"), anchors: folder.path().join("ca.crt") };
    std::fs::write(&paths.anchors, ANCHORS).unwrap();
    if let Some(values) = values {
        std::fs::write(&paths.values, values).unwrap();
    }
    let registry = linkerd_controller::metrics::Metrics::default();
    let metrics = registry.register(Metrics::register);
    let objects = Objects::default();
    let enabled = json!({ "linkerd.io/inject": "enabled", "config.linkerd.io/admin-port": "x" });
    objects.replace([
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fresh", "annotations": enabled}}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
            "namespace": "known", "name": "web-1", "ownerReferences":
                [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d"}]}}),
    ]);
    let mut namespaces = Namespaces::new(&metrics);
    let annotations = BTreeMap::from([("linkerd.io/inject".to_owned(), "enabled".to_owned())]);
    namespaces.apply(Namespace { metadata: Meta { name: "known".into(), annotations, ..Meta::default() } });
    let (events, queue) = Events::queued(metrics.events_lost.clone());
    let injector = Injector {
        config: ConfigFiles::new(paths, "linkerd", &metrics),
        namespaces: Arc::new(Mutex::new(namespaces)),
        lookup: Lookup::new(Source::Memory(objects)),
        events,
        metrics,
    };
    Fixture { router: webhook::router(Arc::new(injector)), events: queue, metrics: registry, _folder: folder }
}

impl Fixture {
    async fn post(&self, request: Value) -> (StatusCode, String) {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let request = Request::post("/").body(Body::from(review.to_string())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn review(&self, namespace: &str, object: Value) -> Value {
        self.review_dry(namespace, object, false).await
    }

    async fn review_dry(&self, namespace: &str, object: Value, is_dry_run: bool) -> Value {
        let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
        let request = json!({"uid": "u", "kind": kind, "namespace": namespace, "object": object, "dryRun": is_dry_run});
        let (status, body) = self.post(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["response"].clone()
    }
}

fn pod(owners: Value) -> Value {
    json!({"metadata": {"generateName": "web-1-", "ownerReferences": owners},
           "spec": {"containers": [{"name": "web", "image": "web:1"}]}})
}

fn of_replica_set() -> Value {
    pod(json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r"}]))
}

// Acceptance cases 22, 63 and 64.
#[tokio::test]
async fn a_pod_is_injected_counted_and_told_of_on_its_owner() {
    let mut webhook = webhook(Some(""));
    let response = webhook.review("known", of_replica_set()).await;
    assert_eq!((&response["allowed"], &response["patchType"]), (&json!(true), &json!("JSONPatch")));
    let event = webhook.events.try_recv().unwrap();
    assert_eq!(event.reason, "Injected");
    assert_eq!((event.object.kind.as_deref(), event.object.uid.as_deref()), (Some("Deployment"), Some("d")));
    let text = webhook.metrics.encode();
    let labels = "{owner_kind=\"deployment\",namespace=\"known\",annotation_at=\"namespace\"";
    assert!(text.contains(&format!("proxy_inject_admission_requests_total{labels}")), "{text}");
    assert!(text.contains("skip=\"false\",skip_reason=\"\"} 1"));
}

// Acceptance cases 63 and 64.
#[tokio::test]
async fn a_pod_that_is_skipped_is_left_alone_and_the_reasons_are_told() {
    let mut webhook = webhook(Some(""));
    let mut pod = of_replica_set();
    pod["spec"]["hostNetwork"] = json!(true);
    let response = webhook.review("known", pod).await;
    assert_eq!(response, json!({"uid": "u", "allowed": true}));
    let event = webhook.events.try_recv().unwrap();
    assert_eq!((event.reason, event.object.name.as_deref()), ("InjectionSkipped", Some("web")));
    assert!(event.message.ends_with(": hostNetwork is enabled"), "{}", event.message);
    assert!(webhook.metrics.encode().contains("skip=\"true\",skip_reason=\"host_network_enabled\"} 1"));
}

// Acceptance cases 63 and 77.
#[tokio::test]
async fn a_dry_run_and_a_pod_without_owner_cause_no_event() {
    let mut webhook = webhook(Some(""));
    let response = webhook.review_dry("known", of_replica_set(), true).await;
    assert_eq!(response["patchType"], "JSONPatch");
    webhook.review("known", pod(json!([]))).await;
    assert!(webhook.events.try_recv().is_err());
}

// Acceptance case 47.
#[tokio::test]
async fn a_service_that_stays_as_it_is_counts_no_response() {
    let webhook = webhook(Some(""));
    let service = |port| json!({"kind": "Service", "metadata": {"name": "db"}, "spec": {"ports": [{"port": port}]}});
    assert_eq!(webhook.review("known", service(80)).await, json!({"uid": "u", "allowed": true}));
    assert!(!webhook.metrics.encode().contains("proxy_inject_admission_responses_total{"));
    assert_eq!(webhook.review("known", service(3306)).await["patchType"], "JSONPatch");
    assert!(webhook.metrics.encode().contains("proxy_inject_admission_responses_total{owner_kind=\"service\""));
}

// Acceptance case 59.
#[tokio::test]
async fn a_namespace_that_was_just_created_is_known_and_its_warnings_reach_the_user() {
    let webhook = webhook(Some(""));
    let response = webhook.review("fresh", pod(json!([]))).await;
    assert_eq!(response["patchType"], "JSONPatch");
    assert!(response["warnings"][0].as_str().unwrap().contains("config.linkerd.io/admin-port on the namespace"));
}

// Acceptance cases 59 and 60.
#[tokio::test]
async fn a_fault_of_ours_is_an_internal_error() {
    let (status, body) = webhook(Some("")).post(json!({"uid": "u", "namespace": "gone", "object": {}})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("\"gone\" does not exist"), "{body}");
    let webhook = webhook(None);
    let (status, body) = webhook.post(json!({"uid": "u", "namespace": "known", "object": {}})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("cannot read"), "{body}");
    assert!(webhook.metrics.encode().contains("proxy_inject_admission_errors_total{reason=\"config\"} 1"));
}

// Acceptance case 39.
#[tokio::test]
async fn a_pod_that_its_author_must_change_is_denied() {
    let webhook = webhook(Some(""));
    let mut object = of_replica_set();
    object["metadata"]["annotations"] = json!({"config.linkerd.io/proxy-log-http-headers": "on"});
    let response = webhook.review("known", object).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().contains("proxy-log-http-headers"));
    let response = webhook.review("known", json!({"metadata": {"annotations": {"a": 1}}})).await;
    assert_eq!(response["allowed"], false);
}
