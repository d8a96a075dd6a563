//! gRPC methods whose answers are encoded before they reach a stream.
//!
//! One encoded update is shared by every stream that needs it, so handlers return bytes and the codec
//! passes them through. Methods are routes of one [`axum::Router`], like all that this process serves.

mod codec;
mod drain;
mod metrics;

pub use self::metrics::GrpcMetrics;

use self::{codec::EncodedCodec, drain::until_drained};
use crate::tasks::Tasks;
use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderValue, Request, Response};
use prost::Message;
use std::{future::Future, sync::Arc};
use tokio_util::sync::CancellationToken;
use tonic::{Status, server::Grpc};
use tower::service_fn;

/// A stream of encoded messages.
pub type Encoded = BoxStream<'static, Result<Bytes, Status>>;

/// Longest request that is read, in bytes.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// The methods of a gRPC server.
pub struct Methods {
    router: Router,
    metrics: GrpcMetrics,
    shutdown: CancellationToken,
}

impl Methods {
    /// Starts without methods. Open streams end with OK when `tasks` shut down.
    pub fn new(tasks: &Tasks) -> Self {
        Self {
            router: Router::new(),
            metrics: tasks.metrics.shared(GrpcMetrics::register),
            shutdown: tasks.shutdown().clone(),
        }
    }

    /// Adds a method that answers one request with one message.
    pub fn unary<Req, F, Fut>(mut self, service: &'static str, method: &'static str, handler: F) -> Self
    where
        Req: Message + Default + 'static,
        F: Fn(Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
    {
        let (handler, metrics) = (Arc::new(handler), self.metrics.method(service, method, metrics::UNARY));
        let route = move |request: Request<Body>| {
            let (handler, metrics) = (handler.clone(), metrics.clone());
            async move {
                let respond = service_fn(move |request: tonic::Request<Req>| {
                    let (call, answer) = (metrics.start(), handler(request.into_inner()));
                    async move { call.finish(answer.await).map(tonic::Response::new) }
                });
                into_axum(exhausted_if_too_long(grpc::<Req>().unary(respond, request).await))
            }
        };
        self.router = self.router.route(&format!("/{service}/{method}"), post(route));
        self
    }

    /// Adds a method that answers one request with a stream of messages.
    pub fn streaming<Req, F, Fut>(mut self, service: &'static str, method: &'static str, handler: F) -> Self
    where
        Req: Message + Default + 'static,
        F: Fn(Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Encoded, Status>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let (metrics, shutdown) = (self.metrics.method(service, method, metrics::STREAM), self.shutdown.clone());
        let route = move |request: Request<Body>| {
            let (handler, metrics, shutdown) = (handler.clone(), metrics.clone(), shutdown.clone());
            async move {
                let respond = service_fn(move |request: tonic::Request<Req>| {
                    let (call, shutdown) = (metrics.start(), shutdown.clone());
                    let answer = handler(request.into_inner());
                    async move {
                        match answer.await {
                            Ok(stream) => Ok(tonic::Response::new(call.count(until_drained(stream, shutdown)))),
                            Err(status) => call.finish(Err(status)),
                        }
                    }
                });
                into_axum(grpc::<Req>().server_streaming(respond, request).await)
            }
        };
        self.router = self.router.route(&format!("/{service}/{method}"), post(route));
        self
    }

    /// All methods, and UNIMPLEMENTED for any other.
    pub fn into_router(self) -> Router {
        let unknown = async || into_axum(Status::unimplemented("no such method").into_http::<tonic::body::Body>());
        self.router.fallback(unknown)
    }
}

/// A request beyond the limit is RESOURCE_EXHAUSTED to the field, but OUT_OF_RANGE to tonic; no handler of
/// a unary method answers OUT_OF_RANGE itself.
fn exhausted_if_too_long(mut response: Response<tonic::body::Body>) -> Response<tonic::body::Body> {
    let status = response.headers_mut().get_mut(Status::GRPC_STATUS);
    if let Some(status) = status.filter(|status| status.as_bytes() == b"11") {
        *status = HeaderValue::from_static("8");
    }
    response
}

fn into_axum(response: Response<tonic::body::Body>) -> Response<Body> {
    response.map(Body::new)
}

/// A message as a handler returns it.
pub fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn grpc<Req: Message + Default + 'static>() -> Grpc<EncodedCodec<Req>> {
    Grpc::new(EncodedCodec::default()).max_decoding_message_size(MAX_REQUEST)
}

#[cfg(test)]
mod tests;
