use super::*;
use serde_json::json;
use tower::ServiceExt;

struct NoFoo;

impl Admission for NoFoo {
    async fn review(&self, request: AdmissionRequest) -> Result<Verdict, Fault> {
        match request.object["metadata"]["name"].as_str() {
            Some("foo") => Ok(Verdict::deny("no foo")),
            Some("fault") => Err(Fault("no namespace".to_owned())),
            _ => Ok(Verdict { patch: Some(json!([])), warnings: vec!["bar is odd".to_owned()], ..Verdict::allow() }),
        }
    }
}

async fn post(body: impl Into<Body>) -> (StatusCode, String) {
    let request = http::Request::post("/any/path").body(body.into()).unwrap();
    let response = router(Arc::new(NoFoo)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), MAX_BODY).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn review(name: &str) -> String {
    json!({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview",
           "request": {"uid": "u", "object": {"metadata": {"name": name}}}})
    .to_string()
}

#[tokio::test]
async fn a_review_is_answered_with_its_own_version_and_uid() {
    let (status, body) = post(review("bar")).await;
    assert_eq!(status, StatusCode::OK);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["apiVersion"], "admission.k8s.io/v1beta1");
    assert_eq!(
        body["response"],
        json!({"uid": "u", "allowed": true, "patchType": "JSONPatch", "patch": "W10=", "warnings": ["bar is odd"]})
    );
    let (_, body) = post(review("foo")).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["response"], json!({"uid": "u", "allowed": false, "status": {"message": "no foo", "code": 400}}));
}

#[tokio::test]
async fn a_review_in_yaml_is_read_like_one_in_json() {
    let (status, body) = post("kind: AdmissionReview\nrequest:\n  uid: u\n  object: {metadata: {name: foo}}\n").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("no foo"), "{body}");
}

#[tokio::test]
async fn faults_and_unreadable_reviews_have_codes_of_their_own() {
    assert_eq!(post(review("fault")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(post("").await, (StatusCode::OK, String::new()));
    assert_eq!(post("garbage").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post("{}").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(r#"{"request":{"object":{}}}"#).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(vec![b' '; MAX_BODY + 1]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_object_nested_too_deep_is_denied_and_not_a_fault() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let body = format!(r#"{{"apiVersion":"admission.k8s.io/v1","request":{{"uid":"u","object":{{"spec":{deep}}}}}}}"#);
    let (status, body) = post(body).await;
    assert_eq!(status, StatusCode::OK);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["response"]["uid"], &body["response"]["allowed"]), (&json!("u"), &json!(false)));
    assert!(body["response"]["status"]["message"].as_str().unwrap().contains("recursion limit"));
}
