//! Reviews of tokens: a bounded number at a time, in the order in which they come.
//!
//! After a restart of a whole cluster every proxy asks at once. They wait for each other here, first come
//! first served, instead of failing; and a token that is being reviewed already is not reviewed twice.

use crate::{
    core::token::{AUDIENCE, RequiredAudience, Review, ServiceAccount, TokenError},
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
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

/// Longest time of one review.
const REVIEW: Duration = Duration::from_secs(5);

/// Longest time that a token waits for its turn. A proxy waits for ever, so it must be told in the end.
const TURN: Duration = Duration::from_secs(30);

/// Reviews at the same time: enough to keep an API server busy, few enough to keep it alive.
const AT_ONCE: usize = 64;

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
    /// Its turn did not come.
    Busy,
    /// It proves nothing.
    Token(TokenError),
}

type Outcome = Result<ServiceAccount, Rejected>;
type Running = Shared<BoxFuture<'static, Outcome>>;
type RunningByToken = HashMap<[u8; 32], WeakShared<BoxFuture<'static, Outcome>>>;

/// Reviews tokens.
pub struct ReviewQueue {
    work: Arc<Work>,
    running: Mutex<RunningByToken>,
}

struct Work {
    reviewer: Arc<dyn TokenReviewer>,
    accepted: AcceptedTokens,
    turns: Semaphore,
    metrics: Metrics,
}

impl ReviewQueue {
    /// Starts without reviews.
    pub fn new(reviewer: Arc<dyn TokenReviewer>, accepted: AcceptedTokens, metrics: Metrics) -> Self {
        let work = Work { reviewer, accepted, turns: Semaphore::new(AT_ONCE), metrics };
        Self { work: Arc::new(work), running: Mutex::default() }
    }

    /// The service account that a token proves.
    ///
    /// # Errors
    /// When it proves none, or nobody could say.
    pub async fn service_account(&self, token: &[u8]) -> Outcome {
        self.join(token).await
    }

    /// The review of a token that is running already, or a new one.
    fn join(&self, token: &[u8]) -> Running {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token).as_ref());
        let mut running = self.running.lock();
        if let Some(review) = running.get(&key).and_then(WeakShared::upgrade) {
            return review;
        }
        // Reviews that have ended are swept when there are many, so that a sweep is cheap on average.
        if running.len() == running.capacity() {
            running.retain(|_, review| review.upgrade().is_some());
        }
        let (work, token) = (self.work.clone(), String::from_utf8_lossy(token).into_owned());
        let review = async move { work.service_account(&token).await }.boxed().shared();
        running.extend(review.downgrade().map(|weak| (key, weak)));
        review
    }
}

impl Work {
    async fn service_account(&self, token: &str) -> Outcome {
        let turn = timeout(TURN, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Rejected::Busy);
        };
        let review = self.review(token, &[AUDIENCE]).await?;
        let (review, required) = match self.accepted {
            AcceptedTokens::Projected => (review, RequiredAudience::Identity),
            AcceptedTokens::AlsoDefault if review.is_for_other_audiences() => {
                (self.review(token, &[]).await?, RequiredAudience::Any)
            }
            AcceptedTokens::AlsoDefault => (review, RequiredAudience::Any),
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
