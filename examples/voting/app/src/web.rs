//! The web page and its API.

use crate::rpc::{self, Empty, FindByShortcodeRequest, FindByShortcodeResponse, ListAllEmojiResponse, ResultsResponse};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tonic::{Status, transport::Channel};

#[derive(Clone)]
struct Services {
    emoji: Channel,
    voting: Channel,
}

/// The page and its API.
///
/// # Errors
/// When an address is none.
pub fn router(emoji: &str, voting: &str) -> anyhow::Result<Router> {
    let services = Services { emoji: rpc::connect(emoji)?, voting: rpc::connect(voting)? };
    Ok(Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/leaderboard", get(async || Html(include_str!("page.html"))))
        .route("/api/list", get(list))
        .route("/api/vote", get(vote))
        .route("/api/leaderboard", get(leaderboard))
        .with_state(services))
}

async fn list(State(services): State<Services>) -> Result<Json<Value>, Failure> {
    let all: ListAllEmojiResponse = rpc::call(&services.emoji, rpc::EMOJI, "ListAll", Empty {}).await?;
    let list = all.list.into_iter().map(|emoji| json!({"shortcode": emoji.shortcode, "unicode": emoji.unicode}));
    Ok(Json(list.collect()))
}

async fn vote(
    State(services): State<Services>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<StatusCode, Failure> {
    let shortcode = query.get("choice").cloned().unwrap_or_default();
    let request = FindByShortcodeRequest { shortcode: shortcode.clone() };
    let found: FindByShortcodeResponse = rpc::call(&services.emoji, rpc::EMOJI, "FindByShortcode", request).await?;
    if found.emoji.is_none() {
        return Err(Failure(Status::invalid_argument(format!("{shortcode} is no emoji; see /api/list"))));
    }
    let Empty {} = rpc::call(&services.voting, rpc::VOTING, &rpc::vote_method(&shortcode), Empty {}).await?;
    Ok(StatusCode::OK)
}

async fn leaderboard(State(services): State<Services>) -> Result<Json<Value>, Failure> {
    let all: ListAllEmojiResponse = rpc::call(&services.emoji, rpc::EMOJI, "ListAll", Empty {}).await?;
    let results: ResultsResponse = rpc::call(&services.voting, rpc::VOTING, "Results", Empty {}).await?;
    let unicode: BTreeMap<_, _> = all.list.into_iter().map(|emoji| (emoji.shortcode, emoji.unicode)).collect();
    let rows = results.results.into_iter().map(|result| {
        json!({"shortcode": result.shortcode, "unicode": unicode.get(&result.shortcode), "votes": result.votes})
    });
    Ok(Json(rows.collect()))
}

/// A call that failed: 400 for a bad choice, 503 when a service could not be asked, else 500.
struct Failure(Status);

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::warn!(code = ?self.0.code(), message = self.0.message(), "a call failed");
        let code = match self.0.code() {
            tonic::Code::InvalidArgument => StatusCode::BAD_REQUEST,
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (code, Json(json!({"error": self.0.message()}))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use axum::body::Body;
    use tower::ServiceExt as _;

    /// Serves a role on loopback and returns its address.
    async fn role(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_vote_goes_through_all_services_and_the_doughnut_fails() {
        let metrics = Metrics::default();
        let (emoji, voting) =
            (role(crate::emoji::router(&Metrics::default())).await, role(crate::voting::router(&metrics)).await);
        let web = router(&emoji, &voting).unwrap();
        assert_eq!(get(&web, "/api/list").await.1.as_array().unwrap().len(), crate::emoji::ALL.len());
        assert_eq!(get(&web, "/api/vote?choice=:crab:").await.0, StatusCode::OK);
        assert_eq!(get(&web, "/api/vote?choice=:doughnut:").await.0, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(get(&web, "/api/vote?choice=:nothing:").await.0, StatusCode::BAD_REQUEST);
        let expected = json!([{"shortcode": ":crab:", "unicode": "🦀", "votes": 1}]);
        assert_eq!(get(&web, "/api/leaderboard").await, (StatusCode::OK, expected));
        let counted = metrics.encode();
        for (method, code) in [("VoteCrab", "Ok"), ("VoteDoughnut", "Unknown"), ("Results", "Ok")] {
            let labels = format!("grpc_method=\"{method}\",grpc_code=\"{code}\"}} 1");
            assert!(counted.contains(&labels), "{method}: {counted}");
        }
    }

    #[tokio::test]
    async fn a_service_that_cannot_be_asked_is_no_failure_on_purpose() {
        let nobody = "127.0.0.1:1";
        let web = router(nobody, nobody).unwrap();
        assert_eq!(get(&web, "/api/vote?choice=:doughnut:").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
