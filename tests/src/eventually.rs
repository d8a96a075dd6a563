//! Waiting for a condition.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::{Instant, sleep, timeout};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Tries `condition` until it holds, and returns what it gave.
///
/// When `deadline` passes first, the error is the reason of the last attempt, so a condition
/// says with `ensure!` what it saw. An attempt that hangs ends with the deadline too.
///
/// ```
/// # use std::time::Duration;
/// # async fn example() -> anyhow::Result<()> {
/// # fn read() -> usize { 3 }
/// linkerd_tests::eventually(Duration::from_secs(10), || async {
///     let endpoints = read();
///     anyhow::ensure!(endpoints == 3, "{endpoints} endpoints, wanted 3");
///     Ok(())
/// })
/// .await
/// # }
/// ```
pub async fn eventually<T, F, A>(deadline: Duration, mut condition: F) -> Result<T>
where
    F: FnMut() -> A,
    A: Future<Output = Result<T>>,
{
    let end = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    let mut last = anyhow!("the first attempt did not end");
    loop {
        match timeout(end.saturating_duration_since(Instant::now()), condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = reason,
            Err(_) => {
                return Err(last).with_context(|| format!("not within {deadline:?}"));
            }
        }
        if Instant::now() + pause >= end {
            return Err(last).with_context(|| format!("not within {deadline:?}"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::ensure;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_condition_that_comes_true_ends_the_wait() {
        let attempts = Cell::new(0);
        let value = eventually(Duration::from_secs(5), || async {
            attempts.set(attempts.get() + 1);
            ensure!(attempts.get() > 2, "too early");
            Ok(attempts.get())
        })
        .await
        .unwrap();
        assert_eq!(value, 3);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_last_reason_is_told_at_the_deadline() {
        let error = eventually(Duration::from_millis(20), || async {
            ensure!(1 + 1 == 3, "saw 2");
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(format!("{error:#}"), "not within 20ms: saw 2");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_attempt_that_hangs_ends_with_the_deadline() {
        let error = eventually(Duration::from_millis(20), std::future::pending::<Result<()>>).await.unwrap_err();
        assert!(format!("{error:#}").contains("did not end"), "{error:#}");
    }
}
