//! Waiting for something that other programs do.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::progress::Elapsed;

const PERIOD: Duration = Duration::from_millis(100);

/// Tries until `probe` succeeds. Gives up with its last error after `limit`, and at once when
/// `possible` says that it can never succeed.
pub fn until(limit: Duration, possible: impl Fn() -> Result<()>, mut probe: impl FnMut() -> Result<()>) -> Result<()> {
    let started = Instant::now();
    loop {
        possible()?;
        match probe() {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > limit => {
                return Err(error).with_context(|| format!("gave up after {}", Elapsed(started.elapsed())));
            }
            Err(_) => std::thread::park_timeout(PERIOD),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_fails_at_first_is_tried_again() {
        let mut tries = 0;
        let probe = || {
            tries += 1;
            if tries < 3 { bail!("not yet") } else { Ok(()) }
        };
        until(Duration::from_secs(10), || Ok(()), probe).unwrap();
        assert_eq!(tries, 3);
    }

    #[test]
    fn the_last_error_is_told_when_time_is_up_and_the_reason_when_it_is_in_vain() {
        let error = until(Duration::ZERO, || Ok(()), || bail!("no answer")).unwrap_err();
        assert!(format!("{error:#}").ends_with("no answer"), "{error:#}");
        let error = until(Duration::from_secs(10), || bail!("it ended"), || bail!("no answer")).unwrap_err();
        assert_eq!(format!("{error:#}"), "it ended");
    }
}
