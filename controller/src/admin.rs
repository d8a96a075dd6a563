//! The admin server: probes, metrics, log level and a dump of what the process knows of itself.

use crate::{logging::LevelHandle, tasks::Tasks};
use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::net::SocketAddr;

#[derive(Clone)]
struct Admin {
    tasks: Tasks,
    level: LevelHandle,
}

/// The admin server's routes.
pub fn router(tasks: Tasks, level: LevelHandle) -> Router {
    Router::new()
        .route("/live", get(async || "alive\n"))
        .route("/ping", get(async || "pong\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/log-level", get(show_level).put(set_level))
        .route("/debug/state", get(state))
        .with_state(Admin { tasks, level })
}

/// 200 when ready; else 503 with the names of what is pending, one on each line.
async fn ready(State(admin): State<Admin>) -> Response {
    let mut pending = admin.tasks.readiness.pending();
    if admin.tasks.shutdown().is_cancelled() {
        pending.push("shutting down".to_owned());
    }
    if pending.is_empty() {
        return "ready\n".into_response();
    }
    let body = pending.iter().fold(String::from("not ready\n"), |body, name| body + "pending: " + name + "\n");
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], admin.tasks.metrics.encode())
}

async fn state(State(admin): State<Admin>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        return only_loopback();
    }
    axum::Json(admin.tasks.diagnostics.dump()).into_response()
}

async fn show_level(State(admin): State<Admin>) -> String {
    admin.level.current() + "\n"
}

async fn set_level(State(admin): State<Admin>, ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        return only_loopback();
    }
    match admin.level.set(body.trim()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

fn only_loopback() -> Response {
    let help = "only from this machine's loopback address; use kubectl port-forward\n";
    (StatusCode::FORBIDDEN, help).into_response()
}
