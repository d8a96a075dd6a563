//! Metrics of gRPC calls, by the names of the field's Prometheus interceptors.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Instant};
use tonic::{Code, Status};

pub(super) const UNARY: &str = "unary";
pub(super) const STREAM: &str = "server_stream";

/// Metrics of all methods.
#[derive(Clone)]
pub struct GrpcMetrics {
    started: Family<MethodLabels, Counter>,
    handled: Family<CodeLabels, Counter>,
    received: Family<MethodLabels, Counter>,
    sent: Family<MethodLabels, Counter>,
    seconds: Family<MethodLabels, Histogram, fn() -> Histogram>,
    unread: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
    grpc_code: &'static str,
}

impl GrpcMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            started: Family::default(),
            handled: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new([0.005, 0.025, 0.1, 1.0, 10.0, 300.0, 3600.0])),
            unread: Counter::default(),
        };
        registry.register("grpc_server_started", "Calls started", metrics.started.clone());
        registry.register("grpc_server_handled", "Calls ended, by code", metrics.handled.clone());
        registry.register("grpc_server_msg_received", "Messages received", metrics.received.clone());
        registry.register("grpc_server_msg_sent", "Messages sent", metrics.sent.clone());
        registry.register("grpc_server_handling_seconds", "Life of calls, in seconds", metrics.seconds.clone());
        let help = "Connections that were closed, since their clients left streams unread";
        registry.register("grpc_server_unread_connections", help, metrics.unread.clone());
        metrics
    }

    pub(super) fn closed_unread(&self, connections: usize) {
        self.unread.inc_by(connections as u64);
    }

    pub(super) fn method(&self, service: &'static str, method: &'static str, grpc_type: &'static str) -> MethodMetrics {
        let labels = MethodLabels { grpc_type, grpc_service: service, grpc_method: method };
        MethodMetrics(Arc::new(OneMethod {
            started: self.started.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            sent: self.sent.get_or_create_owned(&labels),
            handled: self.handled.clone(),
            seconds: self.seconds.get_or_create_owned(&labels),
            labels,
        }))
    }
}

/// Metrics of one method; one pointer, since every stream has it.
#[derive(Clone)]
pub(super) struct MethodMetrics(Arc<OneMethod>);

struct OneMethod {
    started: Counter,
    received: Counter,
    sent: Counter,
    handled: Family<CodeLabels, Counter>,
    seconds: Histogram,
    labels: MethodLabels,
}

impl MethodMetrics {
    /// Notes that a call has come.
    pub(super) fn start(&self) -> Call {
        self.0.started.inc();
        Call { method: self.clone(), began: Instant::now(), code: Code::Cancelled }
    }
}

/// One call; its end is noted when it is dropped, as cancelled unless another code was noted before.
pub(super) struct Call {
    method: MethodMetrics,
    began: Instant,
    code: Code,
}

impl Call {
    /// Notes that the request was read.
    pub(super) fn received(&self) {
        self.method.0.received.inc();
    }

    /// Ends the call with its only answer.
    pub(super) fn finish<T>(mut self, answer: Result<T, Status>) -> Result<T, Status> {
        self.code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        if answer.is_ok() {
            self.sent();
        }
        answer
    }

    /// Notes that a message was sent.
    pub(super) fn sent(&self) {
        self.method.0.sent.inc();
    }

    /// Notes how a stream has ended.
    pub(super) fn ended(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let method = &self.method.0;
        let MethodLabels { grpc_type, grpc_service, grpc_method } = method.labels.clone();
        let labels = CodeLabels { grpc_type, grpc_service, grpc_method, grpc_code: code_name(self.code) };
        method.handled.get_or_create(&labels).inc();
        method.seconds.observe(self.began.elapsed().as_secs_f64());
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
