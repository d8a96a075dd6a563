use super::*;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

async fn post(body: impl Into<Body>) -> (StatusCode, String) {
    let request = Request::post("/").body(body.into()).unwrap();
    let response = webhook::router(Arc::new(Validator::default())).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn review(api_version: &str, object: Value) -> Value {
    let review =
        json!({"apiVersion": api_version, "kind": "AdmissionReview", "request": {"uid": "u", "object": object}});
    let (status, body) = post(review.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let review: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&review["apiVersion"], &review["response"]["uid"]), (&json!(api_version), &json!("u")));
    review["response"].clone()
}

fn profile(condition: Value) -> Value {
    let routes = json!([{"name": "r", "condition": condition}]);
    json!({"metadata": {"name": "web.ns.svc.cluster.local"}, "spec": {"routes": routes}})
}

// Cases 13, 15, 24 and 26.
#[tokio::test]
async fn an_object_is_allowed_warned_of_or_denied() {
    for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
        let allowed = review(version, profile(json!({"method": "GET"}))).await;
        assert_eq!(allowed, json!({"uid": "u", "allowed": true}));
        let warned = review(version, profile(json!({"pathRegex": "("}))).await;
        assert_eq!((&warned["allowed"], warned["warnings"].as_array().unwrap().len()), (&json!(true), 1));
        let denied = review(version, profile(json!({"foo": 1}))).await;
        assert_eq!((&denied["allowed"], &denied["status"]["code"]), (&json!(false), &json!(400)));
        assert!(denied["status"]["message"].as_str().unwrap().ends_with(r#"unknown field "foo""#));
    }
}

// Case 25, without TLS.
#[tokio::test]
async fn what_is_no_review_is_not_judged() {
    assert_eq!(post("").await, (StatusCode::OK, String::new()));
    assert_eq!(post("{}").await.0, StatusCode::BAD_REQUEST);
    let (status, message) = post(vec![b' '; 11 << 20]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(message.contains("limit reached while reading: 10485760"), "{message}");
}

// Case 34.
#[tokio::test]
async fn yaml_is_read_and_a_missing_object_has_no_name() {
    let yaml = "request:\n  uid: u\n  object:\n    metadata: {name: a.b.svc.c}\n    spec:\n      routes: [null]\n";
    let (_, body) = post(yaml).await;
    assert!(body.contains(r#"ServiceProfile \"a.b.svc.c\" has a null route"#), "{body}");
    let (_, body) = post(r#"{"request":{"uid":"u"}}"#).await;
    assert!(body.contains(r#"ServiceProfile \"\" has invalid name"#), "{body}");
}
