//! Who says whether a service-account token is good.

use crate::core::token::Review;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, Client, api::PostParams};

/// Says whether tokens are good: a cluster's API server, or whoever signed them.
pub trait TokenReviewer: Send + Sync + 'static {
    /// Reviews a token for audiences; none stands for the reviewer's own.
    fn review<'a>(&'a self, token: &'a str, audiences: &'a [&'a str]) -> BoxFuture<'a, Result<Review, ReviewFailed>>;
}

/// A reviewer that did not answer. The token may be good or bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReviewFailed(pub String);

/// An error with what caused it: that of a client says no more than that it failed.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |error| error.source()).map(ToString::to_string);
    for cause in causes.filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Asks the API server, by `TokenReview` of `authentication.k8s.io/v1`.
#[derive(Clone)]
pub struct KubernetesReviewer(Api<TokenReview>);

impl KubernetesReviewer {
    /// Uses a client, which needs the right to create `tokenreviews`.
    pub fn new(client: Client) -> Self {
        Self(Api::all(client))
    }

    async fn ask(&self, token: &str, audiences: &[&str]) -> Result<Review, ReviewFailed> {
        let audiences: Vec<String> = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let spec =
            TokenReviewSpec { token: Some(token.to_owned()), audiences: (!audiences.is_empty()).then_some(audiences) };
        let question = TokenReview { spec, ..TokenReview::default() };
        let answer = self.0.create(&PostParams::default(), &question).await;
        let status = answer.map_err(|error| ReviewFailed(with_causes(&error)))?.status.unwrap_or_default();
        Ok(Review {
            is_authenticated: status.authenticated.unwrap_or_default(),
            error: status.error.unwrap_or_default(),
            username: status.user.and_then(|user| user.username).unwrap_or_default(),
            audiences: status.audiences.unwrap_or_default(),
        })
    }
}

impl TokenReviewer for KubernetesReviewer {
    fn review<'a>(&'a self, token: &'a str, audiences: &'a [&'a str]) -> BoxFuture<'a, Result<Review, ReviewFailed>> {
        Box::pin(self.ask(token, audiences))
    }
}

#[cfg(test)]
mod tests;
