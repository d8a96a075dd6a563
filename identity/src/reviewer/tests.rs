use super::*;
use crate::{core::token::AUDIENCE, testing::api_server};
use serde_json::json;

fn failure() -> serde_json::Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no room", "reason": "", "code": 500 })
}

#[tokio::test]
async fn the_api_server_is_asked_for_the_audiences_and_its_status_is_read() {
    let (client, calls) = api_server(
        201,
        json!({
            "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {},
            "status": {
                "authenticated": true,
                "audiences": [AUDIENCE],
                "user": { "username": "system:serviceaccount:ns1:foo", "uid": "1", "groups": ["all"] },
            },
        }),
    );
    let reviewer = KubernetesReviewer::new(client);
    let review = reviewer.review("token", &[AUDIENCE]).await.unwrap();
    assert_eq!(review, crate::testing::good("system:serviceaccount:ns1:foo"));
    reviewer.review("token", &[]).await.unwrap();
    let calls = calls.lock();
    let (method, path, body) = &calls[0];
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/apis/authentication.k8s.io/v1/tokenreviews"));
    assert_eq!(body["spec"], json!({ "token": "token", "audiences": [AUDIENCE] }));
    assert_eq!(calls[1].2["spec"], json!({ "token": "token" }));
}

// Case 21.
#[tokio::test]
async fn what_the_status_leaves_out_is_not_authenticated() {
    let (client, _) = api_server(201, json!({ "spec": {}, "status": { "user": {} } }));
    let review = KubernetesReviewer::new(client).review("token", &[AUDIENCE]).await.unwrap();
    assert_eq!(review, Review::default());
}

// Case 18.
#[tokio::test]
async fn an_error_of_the_api_server_is_no_verdict() {
    let (client, _) = api_server(500, failure());
    let error = KubernetesReviewer::new(client).review("token", &[AUDIENCE]).await.unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
}

#[test]
fn an_error_names_its_causes_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Error {
        text: &'static str,
        source: Option<Box<Error>>,
    }
    let error = |text, source: Option<Error>| Error { text, source: source.map(Box::new) };
    let refused = error("connection refused", None);
    let connect = error("client error (Connect)", Some(error("client error (Connect)", Some(refused))));
    assert_eq!(with_causes(&connect), "client error (Connect): connection refused");
}
