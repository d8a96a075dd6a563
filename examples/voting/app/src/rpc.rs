//! gRPC between the roles: the messages of `emojivoto.v1`, and how they are called and served.

use axum::{Router, body::Body, routing::post};
use http::uri::PathAndQuery;
use prost::Message;
use std::future::Future;
use tonic::{Status, client, server, transport::Channel};
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

/// Adds a unary method to a server.
pub fn serve<Req, Res, F, Fut>(router: Router, service: &str, method: &str, handler: F) -> Router
where
    Req: Message + Default + 'static,
    Res: Message + Default + 'static,
    F: Fn(Req) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Res, Status>> + Send + 'static,
{
    let route = move |request: http::Request<Body>| {
        let handler = handler.clone();
        async move {
            let respond = service_fn(move |request: tonic::Request<Req>| {
                let answer = handler(request.into_inner());
                async move { answer.await.map(tonic::Response::new) }
            });
            server::Grpc::new(ProstCodec::<Res, Req>::default()).unary(respond, request).await.map(Body::new)
        }
    };
    router.route(&format!("/{service}/{method}"), post(route))
}

/// Calls a unary method.
///
/// # Errors
/// The server's status, or UNAVAILABLE when there is no server.
pub async fn call<Req, Res>(channel: &Channel, service: &str, method: &str, request: Req) -> Result<Res, Status>
where
    Req: Message + 'static,
    Res: Message + Default + 'static,
{
    let path = PathAndQuery::try_from(format!("/{service}/{method}"))
        .map_err(|_| Status::invalid_argument(format!("{method} is no method name")))?;
    let mut grpc = client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<Req, Res>::default();
    Ok(grpc.unary(tonic::Request::new(request), path, codec).await?.into_inner())
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
