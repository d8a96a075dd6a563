//! Admission webhooks: AdmissionReview over HTTP.
//!
//! What is answered to which input is that of Kubernetes admission: a review that cannot be read is a
//! client's error (400), a fault of ours is 500 so that the webhook's `failurePolicy` decides, and only
//! an object that is wrong is denied.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use std::{future::Future, sync::Arc};

/// Longest review that is read, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// What the API server asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdmissionRequest {
    /// Identifies the question.
    pub uid: String,
    /// Kind of the object.
    pub kind: GroupVersionKind,
    /// Namespace of the object; empty for cluster-scoped ones.
    pub namespace: String,
    /// Name of the object; empty when the API server will make one up.
    pub name: String,
    /// `CREATE` or `UPDATE`.
    pub operation: String,
    /// Whether nothing will be stored.
    pub dry_run: Option<bool>,
    /// The object.
    pub object: Value,
}

/// Group, version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GroupVersionKind {
    /// API group, empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Why the object is denied; `None` allows it.
    pub denied: Option<String>,
    /// Changes to the object, as a JSON Patch (RFC 6902).
    pub patch: Option<Value>,
    /// What the user should know, shown by `kubectl`.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Allows the object as it is.
    pub fn allow() -> Self {
        Self::default()
    }

    /// Denies the object.
    pub fn deny(message: impl Into<String>) -> Self {
        Self { denied: Some(message.into()), ..Self::default() }
    }
}

/// A fault of ours, after which the webhook's `failurePolicy` decides.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// Decides about objects.
pub trait Admission: Send + Sync + 'static {
    /// Judges one object.
    fn review(&self, request: AdmissionRequest) -> impl Future<Output = Result<Verdict, Fault>> + Send;
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewIn {
    #[serde(default)]
    api_version: Value,
    #[serde(default)]
    kind: Value,
    request: Option<AdmissionRequest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewOut {
    api_version: Value,
    kind: Value,
    response: ResponseOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseOut {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct StatusOut {
    message: String,
    code: u16,
}

/// The routes of a webhook: any path, POST only.
pub fn router<A: Admission>(admission: Arc<A>) -> Router {
    Router::new().fallback(review::<A>).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(admission)
}

async fn review<A: Admission>(State(admission): State<Arc<A>>, request: axum::extract::Request) -> Response {
    if request.method() != http::Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "send an AdmissionReview with POST\n").into_response();
    }
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    if body.is_empty() {
        return StatusCode::OK.into_response();
    }
    let review = match decode(&body) {
        Ok(review) => review,
        Err(reason) if let Some(denial) = deny_unreadable_object(&body, &reason) => return denial,
        Err(reason) => {
            let message = format!("failed to decode admission review request: {reason}\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    let Some(request) = review.request.filter(|request| !request.uid.is_empty()) else {
        return (StatusCode::BAD_REQUEST, "invalid admission review request\n").into_response();
    };
    let uid = request.uid.clone();
    match admission.review(request).await {
        Ok(verdict) => {
            let (api_version, kind) = (review.api_version, review.kind);
            axum::Json(ReviewOut { api_version, kind, response: respond(uid, verdict) }).into_response()
        }
        Err(fault) => {
            tracing::error!(%fault, uid, "cannot judge an object; the webhook's failurePolicy decides");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{fault}\n")).into_response()
        }
    }
}

async fn read_body(body: Body) -> Result<Bytes, Box<Response>> {
    axum::body::to_bytes(body, MAX_BODY).await.map_err(|error| {
        let message = format!("limit reached while reading: {MAX_BODY} bytes ({error})\n");
        Box::new((StatusCode::INTERNAL_SERVER_ERROR, message).into_response())
    })
}

/// Decodes JSON, and YAML where it is none.
fn decode(body: &[u8]) -> Result<ReviewIn, String> {
    let is_json = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json {
        return serde_json::from_slice(body).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let value: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Denies an object that cannot be read, such as one nested too deep, in a review that can be: else a
/// `failurePolicy` for reviews that nobody could read would let it through.
fn deny_unreadable_object(body: &[u8], reason: &str) -> Option<Response> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Review<'a> {
        #[serde(default)]
        api_version: Value,
        #[serde(default)]
        kind: Value,
        #[serde(borrow)]
        request: Request<'a>,
    }
    #[derive(Deserialize)]
    struct Request<'a> {
        uid: String,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let Review { api_version, kind, request } = serde_json::from_slice(body).ok()?;
    serde_json::from_str::<Value>(request.object.get()).err()?;
    let response = respond(request.uid, Verdict::deny(format!("the object cannot be read: {reason}")));
    Some(axum::Json(ReviewOut { api_version, kind, response }).into_response())
}

fn respond(uid: String, verdict: Verdict) -> ResponseOut {
    let patch = verdict.patch.filter(|_| verdict.denied.is_none());
    ResponseOut {
        uid,
        allowed: verdict.denied.is_none(),
        status: verdict.denied.map(|message| StatusOut { message, code: 400 }),
        patch_type: patch.as_ref().map(|_| "JSONPatch"),
        patch: patch.map(|patch| base64(&patch)),
        warnings: verdict.warnings,
    }
}

fn base64(patch: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(patch.to_string())
}

#[cfg(test)]
mod tests;
