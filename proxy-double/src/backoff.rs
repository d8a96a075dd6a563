//! Pauses after failures.

use std::time::Duration;

use rand::Rng as _;

/// Part of a pause that is added by chance, at most.
const JITTER: f64 = 0.1;

/// Pauses that double from a shortest to a longest one.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts with the shortest pause.
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The next pause, before chance.
    pub fn step(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// Waits for the next pause.
    pub async fn pause(&mut self) {
        let jitter = rand::rng().random_range(1.0..=1.0 + JITTER);
        tokio::time::sleep(self.step().mul_f64(jitter)).await;
    }

    /// Starts again, after a success.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let mut step = || backoff.step().as_millis();
        assert_eq!([step(), step(), step(), step()], [100, 200, 350, 350]);
        backoff.reset();
        assert_eq!(backoff.step().as_millis(), 100);
    }
}
