//! Reviews of tokens: a bounded number at a time, first certificates before renewals, and each token once.
//!
//! After a restart of a whole cluster every proxy asks at once. They wait for each other here, first come
//! first served, instead of failing; who would wait too long is told so at once. A token that is being
//! reviewed already is not reviewed twice, and one that was found good a moment ago not again.

mod remembered;
mod turns;

use self::{
    remembered::{Remembered, TokenHash},
    turns::{Turns, Urgency},
};
use crate::{
    clock::Clock,
    core::token::{AUDIENCE, Claims, RequiredAudience, Review, ServiceAccount, TokenError},
    metrics::Metrics,
    reviewer::{ReviewFailed, TokenReviewer},
};
use aws_lc_rs::digest::{SHA256, digest};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// Longest time of one review.
const REVIEW: Duration = Duration::from_secs(5);

/// Bytes of the longest token that is reviewed. Those of clusters have one or two thousand; the API server
/// is not to be kept busy with megabytes.
const LONGEST_TOKEN: usize = 64 * 1024;

/// Which tokens are good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcceptedTokens {
    /// Those that were made for this service, as projected volumes hold them.
    #[default]
    Projected,
    /// Also those for the API server, which every pod has, for clusters where projection is off.
    AlsoDefault,
}

/// Why a token was not accepted.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// The reviewer did not answer.
    Failed(ReviewFailed),
    /// Its turn did not come, or would not come in time.
    Busy,
    /// It proves nothing.
    Token(TokenError),
}

type Outcome = Result<ServiceAccount, Rejected>;
type Running = Shared<BoxFuture<'static, Outcome>>;
type RunningByToken = HashMap<TokenHash, WeakShared<BoxFuture<'static, Outcome>>>;

/// Reviews tokens.
pub struct ReviewQueue {
    work: Arc<Work>,
    running: Mutex<RunningByToken>,
}

struct Work {
    reviewer: Arc<dyn TokenReviewer>,
    accepted: AcceptedTokens,
    turns: Turns,
    remembered: Remembered,
    clock: Clock,
    metrics: Metrics,
}

impl ReviewQueue {
    /// Starts without reviews.
    pub fn new(reviewer: Arc<dyn TokenReviewer>, accepted: AcceptedTokens, clock: Clock, metrics: Metrics) -> Self {
        let (turns, remembered) = (Turns::new(metrics.waiting.clone()), Remembered::default());
        let work = Work { reviewer, accepted, turns, remembered, clock, metrics };
        Self { work: Arc::new(work), running: Mutex::default() }
    }

    /// The service account that a token proves.
    ///
    /// # Errors
    /// When it proves none, or nobody could say.
    pub async fn service_account(&self, token: &[u8]) -> Outcome {
        if token.len() > LONGEST_TOKEN {
            let error = format!("invalid bearer token, longer than {LONGEST_TOKEN} bytes");
            return Err(Rejected::Token(TokenError::Review(error)));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token).as_ref());
        if let Some(account) = self.work.remembered.get(&hash, self.work.clock.now()) {
            return Ok(account);
        }
        self.join(hash, token).await
    }

    /// The review of a token that is running already, or a new one.
    fn join(&self, hash: TokenHash, token: &[u8]) -> Running {
        let mut running = self.running.lock();
        if let Some(review) = running.get(&hash).and_then(WeakShared::upgrade) {
            return review;
        }
        // Reviews that have ended are swept when there are many, so that a sweep is cheap on average.
        if running.len() == running.capacity() {
            running.retain(|_, review| review.upgrade().is_some());
            let wanted = running.len() * 2;
            running.shrink_to(wanted);
        }
        let token =
            std::str::from_utf8(token).map_or_else(|_| String::from_utf8_lossy(token).into_owned(), str::to_owned);
        let work = self.work.clone();
        let review = async move { work.service_account(hash, &token).await }.boxed().shared();
        running.extend(review.downgrade().map(|weak| (hash, weak)));
        review
    }
}

impl Work {
    async fn service_account(&self, hash: TokenHash, token: &str) -> Outcome {
        let claims = Claims::read(token.trim_end().as_bytes());
        let urgency = Urgency::of(claims, self.clock.now());
        let _turn = self.turns.take(urgency).await.map_err(|_| Rejected::Busy)?;
        let account = self.prove(token).await?;
        self.remembered.add(hash, account.clone(), claims, self.clock.now());
        Ok(account)
    }

    async fn prove(&self, token: &str) -> Outcome {
        let review = self.review(token, &[AUDIENCE]).await?;
        let (review, required) = match self.accepted {
            AcceptedTokens::AlsoDefault if review.is_for_other_audiences() => {
                (self.review(token, &[]).await?, RequiredAudience::Any)
            }
            AcceptedTokens::AlsoDefault | AcceptedTokens::Projected => (review, RequiredAudience::Identity),
        };
        review.service_account(required).map_err(Rejected::Token)
    }

    async fn review(&self, token: &str, audiences: &[&str]) -> Result<Review, Rejected> {
        let began = Instant::now();
        let answer = timeout(REVIEW, self.reviewer.review(token, audiences)).await;
        self.metrics.reviewed(began.elapsed());
        match answer {
            Ok(answer) => answer.map_err(Rejected::Failed),
            Err(_) => Err(Rejected::Failed(ReviewFailed(format!("no answer within {} s", REVIEW.as_secs())))),
        }
    }
}

#[cfg(test)]
mod tests;
