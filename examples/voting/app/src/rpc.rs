//! gRPC between the roles: the messages of `emojivoto.v1`, and how they are called and served.

use crate::metrics::{GrpcLabels, GrpcRequests};
use axum::{Router, body::Body, routing::post};
use http::uri::PathAndQuery;
use prost::Message;
use std::{error::Error as _, future::Future};
use tonic::{Code, Status, client, server, transport::Channel};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// An emoji.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Emoji {
    /// The character.
    #[prost(string, tag = "1")]
    pub unicode: String,
    /// Its name between colons, such as `:doughnut:`.
    #[prost(string, tag = "2")]
    pub shortcode: String,
}

/// A request without content.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Empty {}

/// All emoji.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListAllEmojiResponse {
    /// The emoji.
    #[prost(message, repeated, tag = "1")]
    pub list: Vec<Emoji>,
}

/// Asks for one emoji.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FindByShortcodeRequest {
    /// Its name.
    #[prost(string, tag = "1")]
    pub shortcode: String,
}

/// One emoji, if there is such a one.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FindByShortcodeResponse {
    /// The emoji.
    #[prost(message, optional, tag = "1")]
    pub emoji: Option<Emoji>,
}

/// Votes for one emoji.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct VotingResult {
    /// Name of the emoji.
    #[prost(string, tag = "1")]
    pub shortcode: String,
    /// Number of votes.
    #[prost(int32, tag = "2")]
    pub votes: i32,
}

/// All votes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResultsResponse {
    /// Votes for each emoji that has any, the most first.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<VotingResult>,
}

/// Name of the emoji service.
pub const EMOJI: &str = "emojivoto.v1.EmojiService";
/// Name of the voting service.
pub const VOTING: &str = "emojivoto.v1.VotingService";

/// The method that votes for an emoji: `VoteFaceWithMask` for `:face_with_mask:`.
pub fn vote_method(shortcode: &str) -> String {
    let words = shortcode.trim_matches(':').split(|c: char| !c.is_ascii_alphanumeric());
    let capitalized = words.map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    format!("Vote{}", capitalized.collect::<String>())
}

/// A gRPC service under construction.
pub struct Service {
    router: Router,
    name: &'static str,
    requests: GrpcRequests,
}

impl Service {
    /// A service without methods, whose requests are counted.
    pub fn new(name: &'static str, requests: GrpcRequests) -> Self {
        Self { router: Router::new(), name, requests }
    }

    /// Adds a unary method.
    #[must_use]
    pub fn method<Req, Res, F, Fut>(mut self, method: &str, handler: F) -> Self
    where
        Req: Message + Default + 'static,
        Res: Message + Default + 'static,
        F: Fn(Req) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Res, Status>> + Send + 'static,
    {
        let counted = Counted { requests: self.requests.clone(), service: self.name, method: method.to_owned() };
        let route = move |request: http::Request<Body>| {
            let (handler, counted) = (handler.clone(), counted.clone());
            async move {
                let respond = service_fn(move |request: tonic::Request<Req>| {
                    let (answer, counted) = (handler(request.into_inner()), counted.clone());
                    async move {
                        let answer = answer.await;
                        counted.count(answer.as_ref().map_or_else(Status::code, |_| Code::Ok));
                        answer.map(tonic::Response::new)
                    }
                });
                server::Grpc::new(ProstCodec::<Res, Req>::default()).unary(respond, request).await.map(Body::new)
            }
        };
        self.router = self.router.route(&format!("/{}/{method}", self.name), post(route));
        self
    }

    /// What serves it.
    pub fn router(self) -> Router {
        self.router
    }
}

/// Counts requests of one method.
#[derive(Clone)]
struct Counted {
    requests: GrpcRequests,
    service: &'static str,
    method: String,
}

impl Counted {
    fn count(&self, code: Code) {
        let labels = GrpcLabels {
            grpc_service: self.service.to_owned(),
            grpc_method: self.method.clone(),
            grpc_code: format!("{code:?}"),
        };
        self.requests.get_or_create(&labels).inc();
    }
}

/// Calls a unary method. A request that was not sent, because the server closed the connection just then,
/// is sent on the next one.
///
/// # Errors
/// The server's status, or UNAVAILABLE when there is no server.
pub async fn call<Req, Res>(channel: &Channel, service: &str, method: &str, request: Req) -> Result<Res, Status>
where
    Req: Message + Clone + 'static,
    Res: Message + Default + 'static,
{
    let path = PathAndQuery::try_from(format!("/{service}/{method}"))
        .map_err(|_| Status::invalid_argument(format!("{method} is no method name")))?;
    match call_once(channel, path.clone(), request.clone()).await {
        Err(status) if is_unsent(&status) => call_once(channel, path, request).await,
        answered => answered,
    }
}

async fn call_once<Req, Res>(channel: &Channel, path: PathAndQuery, request: Req) -> Result<Res, Status>
where
    Req: Message + 'static,
    Res: Message + Default + 'static,
{
    let mut grpc = client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<Req, Res>::default();
    Ok(grpc.unary(tonic::Request::new(request), path, codec).await?.into_inner())
}

/// Whether a request never left, so that sending it again does nothing twice.
fn is_unsent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A connection that is made when it is first used.
///
/// # Errors
/// When the address is none.
pub fn connect(address: &str) -> anyhow::Result<Channel> {
    Ok(Channel::from_shared(format!("http://{address}"))?.connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_emoji_has_a_method_of_its_own() {
        assert_eq!(vote_method(":doughnut:"), "VoteDoughnut");
        assert_eq!(vote_method(":face_with_mask:"), "VoteFaceWithMask");
        assert_eq!(vote_method(":100:"), "Vote100");
    }
}
