//! The end of streams, with OK: when they are old, and when the process stops.
//!
//! A proxy whose stream ends comes back within milliseconds, maybe to another replica. So ends are spread
//! over time: if all streams ended at once, all proxies would come back at once. And streams do not live
//! for ever: if they did, a replica that starts would get none, and one that others' clients fled to would
//! keep them.

use std::{future::Future, pin::Pin, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Time over which the ends of streams are spread when the process stops.
const SPREAD: Duration = Duration::from_secs(2);

/// Completes when a stream has to end.
pub(super) type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The end of a stream that begins now: after `lifetime` to twice as long, or soon after `shutdown`.
pub(super) fn end(lifetime: Duration, shutdown: CancellationToken) -> End {
    let old = Instant::now() + lifetime.mul_f64(1.0 + rand::random::<f64>());
    Box::pin(async move {
        tokio::select! {
            () = sleep_until(old) => {}
            () = shutdown.cancelled() => sleep(SPREAD.mul_f64(rand::random::<f64>())).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn streams_that_began_together_end_one_by_one() {
        let (began, lifetime) = (Instant::now(), Duration::from_secs(1800));
        let mut ends = Vec::new();
        for _ in 0..100 {
            let end = end(lifetime, CancellationToken::new());
            ends.push(tokio::spawn(async move {
                end.await;
                Instant::now()
            }));
        }
        let mut ages = Vec::new();
        for end in ends {
            ages.push(end.await.unwrap() - began);
        }
        ages.sort();
        assert!(ages[0] >= lifetime && ages[99] <= lifetime * 2 + Duration::from_secs(1));
        // Half an hour has 30 minutes: in none of them do most streams end.
        let busiest = ages.iter().map(|age| ages.iter().filter(|other| age.abs_diff(**other).as_secs() < 30).count());
        assert!(busiest.max().unwrap() < 25);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_streams_within_two_seconds() {
        let shutdown = CancellationToken::new();
        let end = end(Duration::from_secs(1800), shutdown.clone());
        shutdown.cancel();
        let began = Instant::now();
        end.await;
        assert!(began.elapsed() <= Duration::from_millis(2001));
    }
}
