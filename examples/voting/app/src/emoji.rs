//! The emoji service.

use crate::{
    metrics::Metrics,
    rpc::{self, Emoji, Empty, FindByShortcodeRequest, FindByShortcodeResponse, ListAllEmojiResponse, Service},
};
use axum::Router;

/// All emoji, with their names.
pub const ALL: [(&str, &str); 24] = [
    ("👻", ":ghost:"),
    ("🍩", ":doughnut:"),
    ("💩", ":poop:"),
    ("😂", ":joy:"),
    ("😎", ":sunglasses:"),
    ("🎉", ":tada:"),
    ("🚀", ":rocket:"),
    ("🦄", ":unicorn:"),
    ("🌮", ":taco:"),
    ("🍕", ":pizza:"),
    ("🍔", ":hamburger:"),
    ("🥑", ":avocado:"),
    ("🌈", ":rainbow:"),
    ("🔥", ":fire:"),
    ("👍", ":thumbsup:"),
    ("💃", ":dancer:"),
    ("🤖", ":robot:"),
    ("🐙", ":octopus:"),
    ("🦀", ":crab:"),
    ("🐢", ":turtle:"),
    ("🌻", ":sunflower:"),
    ("⛵", ":sailboat:"),
    ("🎸", ":guitar:"),
    ("😷", ":face_with_mask:"),
];

fn emoji((unicode, shortcode): (&str, &str)) -> Emoji {
    Emoji { unicode: unicode.to_owned(), shortcode: shortcode.to_owned() }
}

/// The service.
pub fn router(metrics: &Metrics) -> Router {
    Service::new(rpc::EMOJI, metrics.grpc_requests())
        .method("ListAll", |_: Empty| async { Ok(ListAllEmojiResponse { list: ALL.map(emoji).to_vec() }) })
        .method("FindByShortcode", |request: FindByShortcodeRequest| async move {
            let found = ALL.into_iter().find(|(_, shortcode)| *shortcode == request.shortcode);
            Ok(FindByShortcodeResponse { emoji: found.map(emoji) })
        })
        .router()
}
