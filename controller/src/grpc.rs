//! gRPC methods whose answers are encoded before they reach a stream.
//!
//! One encoded update is shared by every stream that needs it, so handlers return bytes, which are passed
//! through. Methods are routes of one [`axum::Router`], like all that this process serves.

mod answer;
mod clients;
mod life;
mod message;
mod metrics;

pub use self::{clients::StreamLimits, metrics::GrpcMetrics};

use self::clients::Clients;
use crate::{listen::Hangup, metrics::Metrics, tasks::Tasks};
use axum::{Router, body::Body, extract::ConnectInfo, routing::post};
use bytes::Bytes;
use futures::stream::BoxStream;
use http::Request;
use prost::Message;
use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc};
use tonic::Status;

/// A stream of encoded messages.
pub type Encoded = BoxStream<'static, Result<Bytes, Status>>;

/// Longest request that is read, in bytes, unless a server says otherwise.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// The methods of a gRPC server.
pub struct Methods {
    router: Router,
    metrics: GrpcMetrics,
    clients: Clients,
    max_request: usize,
    tasks: Tasks,
}

impl Methods {
    /// Starts without methods. Open streams end with OK when `tasks` shut down.
    pub fn new(tasks: &Tasks) -> Self {
        Self {
            router: Router::new(),
            metrics: tasks.metrics.shared(GrpcMetrics::register),
            clients: Clients::new(StreamLimits::default()),
            max_request: MAX_REQUEST,
            tasks: tasks.clone(),
        }
    }

    /// Sets what clients may take; to be called before methods are added.
    pub fn with_limits(self, limits: StreamLimits) -> Self {
        Self { clients: Clients::new(limits), ..self }
    }

    /// Sets the longest request that is read, in bytes; to be called before methods are added.
    pub fn with_max_request(self, max_request: usize) -> Self {
        Self { max_request, ..self }
    }

    /// What clients may take.
    pub fn limits(&self) -> StreamLimits {
        self.clients.limits()
    }

    /// The metrics of the process, for those of the methods.
    pub fn process_metrics(&self) -> &Metrics {
        &self.tasks.metrics
    }

    /// Adds a method that answers one request with one message.
    pub fn unary<Req, F, Fut>(mut self, service: &'static str, method: &'static str, handler: F) -> Self
    where
        Req: Message + Default + 'static,
        F: Fn(Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
    {
        let (handler, metrics) = (Arc::new(handler), self.metrics.method(service, method, metrics::UNARY));
        let max_request = self.max_request;
        let route = move |request: Request<Body>| {
            let (handler, metrics) = (handler.clone(), metrics.clone());
            async move {
                let call = metrics.start();
                let answer = match message::read(request.into_body(), max_request).await {
                    Ok(request) => {
                        call.received();
                        handler(request).await
                    }
                    Err(status) => Err(status),
                };
                answer::unary(call.finish(answer))
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
        let (handler, metrics) = (Arc::new(handler), self.metrics.method(service, method, metrics::STREAM));
        let (clients, max_request, shutdown) = (self.clients.clone(), self.max_request, self.tasks.shutdown().clone());
        let route = move |request: Request<Body>| {
            let (handler, call, clients, shutdown) =
                (handler.clone(), metrics.start(), clients.clone(), shutdown.clone());
            async move {
                let answer = async {
                    let slot = slot(&clients, &request)?;
                    let request = message::read(request.into_body(), max_request).await?;
                    call.received();
                    Ok((handler(request).await?, slot))
                };
                match answer.await {
                    Ok((messages, slot)) => {
                        answer::streaming(messages, slot, life::end(clients.limits().lifetime, shutdown), call)
                    }
                    Err(status) => answer::unary(call.finish(Err(status))),
                }
            }
        };
        self.router = self.router.route(&format!("/{service}/{method}"), post(route));
        self
    }

    /// All methods, and UNIMPLEMENTED for any other.
    pub fn into_router(self) -> Router {
        let (clients, metrics) = (self.clients, self.metrics);
        self.tasks.spawn("watch of unread streams", async move {
            clients.watch(|closed| metrics.closed_unread(closed)).await;
            Ok::<(), Infallible>(())
        });
        let unknown = async || answer::refuse(&Status::unimplemented("no such method"));
        self.router.fallback(unknown)
    }
}

/// Opens a stream of the client that a request comes from.
fn slot(clients: &Clients, request: &Request<Body>) -> Result<clients::Slot, Status> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    clients.open(peer, request.extensions().get::<Hangup>())
}

/// A message as a handler returns it.
pub fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

#[cfg(test)]
mod tests;
