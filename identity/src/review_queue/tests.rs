use super::*;
use crate::{
    current::CurrentAuthority,
    testing::{FakeReviewer, Hands, bad, good, metrics, start},
};
use futures::future::join_all;
use linkerd_controller::tasks::Tasks;
use std::sync::atomic::{AtomicUsize, Ordering};

const OTHER_AUDIENCE: &str = "[invalid bearer token, token audiences [\"foo\"] is invalid for the target audiences]";

fn queue(reviewer: impl TokenReviewer, accepted: AcceptedTokens) -> ReviewQueue {
    let (tasks, _) = Tasks::new();
    let clock = Hands::new().clock();
    let metrics = metrics(&tasks, &CurrentAuthority::default(), clock.clone());
    ReviewQueue::new(Arc::new(reviewer), accepted, clock, metrics)
}

fn foo() -> Review {
    good("system:serviceaccount:ns1:foo")
}

// Case 25.
#[tokio::test]
async fn the_first_review_asks_for_the_audience_of_this_service() {
    for accepted in [AcceptedTokens::Projected, AcceptedTokens::AlsoDefault] {
        let reviewer = FakeReviewer::new([Ok(foo())]);
        let account = queue(reviewer.clone(), accepted).service_account(b"token\n").await.unwrap();
        assert_eq!(account.to_string(), "ns1/foo");
        assert_eq!(*reviewer.asked.lock(), [("token\n".to_owned(), vec!["identity.l5d.io".to_owned()])]);
    }
}

// Cases 19 and 43.
#[tokio::test]
async fn where_tokens_are_not_projected_those_for_the_api_server_are_reviewed_again() {
    let mut default = foo();
    default.audiences = vec!["https://kubernetes.default.svc".to_owned()];
    let reviewer = FakeReviewer::new([Ok(bad(OTHER_AUDIENCE)), Ok(default)]);
    queue(reviewer.clone(), AcceptedTokens::AlsoDefault).service_account(b"token").await.unwrap();
    assert_eq!(reviewer.audiences(), [vec!["identity.l5d.io".to_owned()], vec![]]);

    let reviewer = FakeReviewer::new([Ok(bad(OTHER_AUDIENCE)), Ok(bad("still bad"))]);
    let rejected = queue(reviewer.clone(), AcceptedTokens::AlsoDefault).service_account(b"token").await.unwrap_err();
    assert!(matches!(rejected, Rejected::Token(TokenError::Review(text)) if text == "still bad"));
    assert_eq!(reviewer.audiences().len(), 2);
}

#[tokio::test]
async fn where_tokens_are_projected_those_for_the_api_server_are_refused() {
    let reviewer = FakeReviewer::new([Ok(bad(OTHER_AUDIENCE)), Ok(foo())]);
    let rejected = queue(reviewer.clone(), AcceptedTokens::Projected).service_account(b"token").await.unwrap_err();
    assert!(matches!(rejected, Rejected::Token(TokenError::Review(text)) if text == OTHER_AUDIENCE));
    assert_eq!(reviewer.audiences().len(), 1);
}

// Case 20.
#[tokio::test]
async fn other_errors_are_final() {
    let reviewer = FakeReviewer::new([Ok(bad("boom"))]);
    let rejected = queue(reviewer.clone(), AcceptedTokens::AlsoDefault).service_account(b"token").await.unwrap_err();
    assert!(matches!(rejected, Rejected::Token(TokenError::Review(text)) if text == "boom"));
    assert_eq!(reviewer.audiences().len(), 1);
}

#[tokio::test]
async fn a_token_is_reviewed_once_for_all_who_wait_for_it() {
    let reviewer = FakeReviewer::new([Ok(foo())]);
    let queue = queue(reviewer.clone(), AcceptedTokens::Projected);
    let waiting = (0..10).map(|_| queue.service_account(b"token"));
    assert!(join_all(waiting).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(reviewer.audiences().len(), 1);
    assert!(join_all([queue.service_account(b"one"), queue.service_account(b"two")]).await.iter().all(Result::is_ok));
    assert_eq!(reviewer.audiences().len(), 3);
}

#[tokio::test]
async fn a_good_token_is_good_for_a_moment_and_a_bad_one_is_asked_again() {
    let (tasks, _) = Tasks::new();
    let hands = Hands::new();
    let metrics = metrics(&tasks, &CurrentAuthority::default(), hands.clock());
    let reviewer = FakeReviewer::new([Ok(bad("boom")), Ok(foo())]);
    let queue = ReviewQueue::new(Arc::new(reviewer.clone()), AcceptedTokens::Projected, hands.clock(), metrics);
    queue.service_account(b"token").await.unwrap_err();
    for _ in 0..3 {
        assert_eq!(queue.service_account(b"token").await.unwrap().to_string(), "ns1/foo");
    }
    assert_eq!(reviewer.audiences().len(), 2);
    hands.set(start() + remembered::KEPT);
    queue.service_account(b"token").await.unwrap();
    assert_eq!(reviewer.audiences().len(), 3);
}

#[tokio::test]
async fn a_token_of_megabytes_is_not_reviewed() {
    let reviewer = FakeReviewer::new([Ok(foo())]);
    let queue = queue(reviewer.clone(), AcceptedTokens::Projected);
    let rejected = queue.service_account(&vec![b't'; LONGEST_TOKEN + 1]).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Token(TokenError::Review(text)) if text.contains("invalid bearer token")));
    assert!(reviewer.audiences().is_empty());
    queue.service_account(&vec![b't'; LONGEST_TOKEN]).await.unwrap();
}

// "Do better" of section 3: whoever ignores the audience that was asked about vouches for nothing.
#[tokio::test]
async fn a_first_review_that_does_not_name_the_audience_proves_nothing() {
    for accepted in [AcceptedTokens::Projected, AcceptedTokens::AlsoDefault] {
        let review = Review { audiences: vec!["https://kubernetes.default.svc".to_owned()], ..foo() };
        let rejected = queue(FakeReviewer::new([Ok(review)]), accepted).service_account(b"token").await.unwrap_err();
        assert!(matches!(rejected, Rejected::Token(TokenError::Audience)));
    }
}

#[tokio::test]
async fn reviews_that_have_ended_take_no_room() {
    let queue = queue(FakeReviewer::new([Ok(foo())]), AcceptedTokens::Projected);
    for token in 0..2_000 {
        queue.service_account(format!("token {token}").as_bytes()).await.unwrap();
    }
    assert!(queue.running.lock().capacity() < 100);
}

/// Never answers, and counts those who wait.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicUsize>);

impl TokenReviewer for Silent {
    fn review<'a>(&'a self, _: &'a str, _: &'a [&'a str]) -> BoxFuture<'a, Result<Review, ReviewFailed>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_reviewer_fails_its_review_and_those_whose_turn_does_not_come_are_told() {
    let silent = Silent::default();
    let queue = queue(silent.clone(), AcceptedTokens::Projected);
    let began = Instant::now();
    let tokens: Vec<String> = (0..1000).map(|token| format!("token {token}")).collect();
    let outcomes = join_all(tokens.iter().map(|token| queue.service_account(token.as_bytes()))).await;
    assert!(began.elapsed() <= turns::LONGEST_WAIT + REVIEW);
    let timed_out = outcomes.iter().filter(
        |outcome| matches!(outcome, Err(Rejected::Failed(ReviewFailed(text))) if text == "no answer within 5 s"),
    );
    assert_eq!(timed_out.count(), silent.0.load(Ordering::SeqCst));
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Rejected::Busy))));
    assert!(matches!(outcomes[0], Err(Rejected::Failed(_))), "first come, first served");
}
