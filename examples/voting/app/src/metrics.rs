//! Counters, in the text form that Prometheus reads.

use std::sync::Arc;

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of a role.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// A new counter; its name gets the suffix `_total`.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.lock().register(name, help, counter.clone());
        counter
    }

    /// Requests of a gRPC service by method and code, under the name that is usual for them.
    pub fn grpc_requests(&self) -> GrpcRequests {
        let requests = GrpcRequests::default();
        self.0.lock().register("grpc_server_handled", "Requests that were answered", requests.clone());
        requests
    }

    /// Serves all of them at `/metrics`.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        let answer = move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.encode()) };
        Router::new().route("/metrics", get(answer))
    }

    /// All of them, as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.0.lock());
        text
    }
}

/// Requests of a gRPC service.
pub type GrpcRequests = Family<GrpcLabels, Counter>;

/// What requests of a gRPC service are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GrpcLabels {
    /// Full name of the service.
    pub grpc_service: String,
    /// Its method.
    pub grpc_method: String,
    /// Name of the status code, such as `OK`.
    pub grpc_code: String,
}
