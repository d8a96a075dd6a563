use super::*;
use crate::testing::api_server;
use serde_json::json;

// Case 32.
#[tokio::test]
async fn without_the_right_to_review_tokens_there_is_no_start() {
    let (client, calls) = api_server(201, json!({ "spec": {}, "status": { "allowed": false, "reason": "RBAC" } }));
    let error = check_access(client).await.unwrap_err();
    assert_eq!(error.to_string(), "Unable to create kubernetes token reviews: RBAC");
    let (_, path, body) = &calls.lock()[0];
    assert_eq!(path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    let expected =
        json!({ "group": "authentication.k8s.io", "resource": "tokenreviews", "verb": "create", "version": "v1" });
    assert_eq!(body["spec"]["resourceAttributes"], expected);
}

#[tokio::test]
async fn with_the_right_to_review_tokens_the_process_starts() {
    let (client, _) = api_server(201, json!({ "spec": {}, "status": { "allowed": true } }));
    check_access(client).await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_api_server_is_told() {
    let (client, _) = api_server(500, json!({ "message": "no room", "code": 500, "status": "Failure" }));
    assert!(matches!(check_access(client).await, Err(AccessError::Client(_))));
}
