use super::*;
use crate::testing::{hours, seconds, start};
use futures::{FutureExt, future::join_all};
use tokio::time::Instant;

#[test]
fn a_fresh_token_is_that_of_a_pod_that_starts() {
    let of = |issued: Option<Timestamp>| Urgency::of(Claims { issued, expires: None }, start());
    assert_eq!(of(Some(start() - seconds(30))), Urgency::First);
    assert_eq!(of(Some(start() + seconds(30))), Urgency::First, "clocks differ");
    assert_eq!(of(Some(start() - hours(17))), Urgency::Renewal);
    assert_eq!(of(None), Urgency::Renewal, "garbage is not urgent");
}

#[tokio::test]
async fn however_many_renewals_wait_a_first_certificate_has_its_turn() {
    let turns = Turns::new(Gauge::default());
    let mut renewals: Vec<_> = (0..100).map(|_| turns.take(Urgency::Renewal).boxed()).collect();
    let mut held: Vec<_> = renewals.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
    assert_eq!(held.len(), AT_ONCE - FOR_FIRST);
    let first: Vec<_> = join_all((0..FOR_FIRST).map(|_| turns.take(Urgency::First))).await;
    assert!(first.iter().all(Result::is_ok));
    // The next one comes before all renewals that wait, and after one that is under way.
    let mut next = turns.take(Urgency::First).boxed();
    assert!((&mut next).now_or_never().is_none());
    held.pop();
    assert!(next.now_or_never().is_some_and(|turn| turn.is_ok()));
}

#[tokio::test]
async fn renewals_have_their_turns_among_first_certificates() {
    let turns = Turns::new(Gauge::default());
    let mut held: Vec<_> = join_all((0..AT_ONCE).map(|_| turns.take(Urgency::First))).await;
    let mut renewal = turns.take(Urgency::Renewal).boxed();
    assert!((&mut renewal).now_or_never().is_none());
    let mut later: Vec<_> = (0..100).map(|_| turns.take(Urgency::First).boxed()).collect();
    assert!(later.iter_mut().all(|turn| turn.now_or_never().is_none()));
    assert_eq!(turns.waiting.get(), 101);
    held.pop();
    assert!(renewal.now_or_never().is_some_and(|turn| turn.is_ok()), "first come, first served");
    drop(later);
    assert_eq!(turns.waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_told_at_once() {
    let turns = Turns::new(Gauge::default());
    let mut held: Vec<_> = join_all((0..AT_ONCE).map(|_| turns.take(Urgency::First))).await;
    // Thousands at once are let in: nothing is known of the pace yet.
    let mut waiting: Vec<_> = (0..10_000).map(|_| turns.take(Urgency::First).boxed()).collect();
    assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
    // A hundred turns in five seconds are 20 in a second: 600 in the longest time.
    waiting.truncate(700);
    tokio::time::advance(PACE).await;
    for _ in 0..100 {
        drop(held.remove(0));
        held.push(waiting.remove(0).await);
    }
    assert_eq!(turns.waiting.get(), 600);
    let mut last = turns.take(Urgency::First).boxed();
    assert!((&mut last).now_or_never().is_none());
    assert_eq!(turns.take(Urgency::First).now_or_never().and_then(Result::err), Some(Busy));
    // When all are served the pace is forgotten.
    drop((waiting, last, held));
    assert!(turns.take(Urgency::First).now_or_never().is_some_and(|turn| turn.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn whose_turn_does_not_come_is_told_in_the_end() {
    let turns = Turns::new(Gauge::default());
    let _held: Vec<_> = join_all((0..AT_ONCE).map(|_| turns.take(Urgency::First))).await;
    let began = Instant::now();
    assert_eq!(turns.take(Urgency::Renewal).await.err(), Some(Busy));
    assert_eq!(began.elapsed(), LONGEST_WAIT);
}
