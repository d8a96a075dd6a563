//! The admin server: readiness, metrics, and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use super::Variables;
use super::drain::Drain;
use super::metrics::{self, TcpMetrics};
use crate::ProxyDouble;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin server knows.
#[derive(Clone)]
pub struct Admin {
    pub double: Arc<ProxyDouble>,
    pub tcp: TcpMetrics,
    pub drain: Drain,
    pub variables: Arc<Variables>,
    /// Whether a request may stop the program.
    pub shutdown_endpoint: bool,
    /// When it started, in seconds since the epoch.
    pub started: f64,
}

/// Serves until everything stops; then nobody is served any more, not even probes.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, admin: Admin) -> Result<()> {
    let drain = admin.drain.clone();
    let service = router(admin).into_make_service_with_connect_info::<SocketAddr>();
    let stopping = async move { drain.stopping().await };
    Ok(axum::serve(listener, service).with_graceful_shutdown(stopping).await?)
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/live", any(async || "live\n"))
        .route("/ready", any(ready))
        .route("/metrics", get(metrics))
        .route("/shutdown", any(shutdown))
        .route("/env.json", get(environment))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    match admin.double.read(crate::state::State::is_ready) {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let text = metrics::scrape(&admin.double, &admin.tcp, admin.started);
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

async fn shutdown(
    State(admin): State<Admin>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    method: Method,
) -> (StatusCode, &'static str) {
    if method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "use POST\n");
    }
    if !client.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only from this pod, over loopback\n");
    }
    if !admin.shutdown_endpoint {
        return (StatusCode::NOT_FOUND, "disabled; set LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED to true\n");
    }
    admin.drain.stop();
    (StatusCode::OK, "shutdown\n")
}

/// The whole environment, or the variables that the query names.
async fn environment(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let value = |name: &str| admin.variables.get(name).cloned().map_or(Value::Null, Value::String);
    let names = query.as_deref().unwrap_or_default();
    if names.contains('=') {
        return (StatusCode::BAD_REQUEST, "the query names variables: ?NAME&NAME2\n").into_response();
    }
    let object: Map<String, Value> = match names {
        "" => admin.variables.keys().map(|name| (name.clone(), value(name))).collect(),
        names => names.split('&').map(|name| (name.to_owned(), value(name))).collect(),
    };
    Json(object).into_response()
}
