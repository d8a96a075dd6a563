//! The annotations of circuit breakers.

use super::{Annotations, InvalidAnnotation};
use crate::core::accrual::{Backoff, FailureAccrual, Ratio};
use std::time::Duration;

const MODE: &str = "balancer.linkerd.io/failure-accrual";
const MAX_FAILURES: &str = "balancer.linkerd.io/failure-accrual-consecutive-max-failures";
const MIN_PENALTY: &str = "balancer.linkerd.io/failure-accrual-consecutive-min-penalty";
const MAX_PENALTY: &str = "balancer.linkerd.io/failure-accrual-consecutive-max-penalty";
const JITTER: &str = "balancer.linkerd.io/failure-accrual-consecutive-jitter-ratio";
const THRESHOLD: &str = "balancer.alpha.linkerd.io/failure-accrual-success-rate-threshold";
const WINDOW: &str = "balancer.alpha.linkerd.io/failure-accrual-success-rate-window";
const MIN_REQUESTS: &str = "balancer.alpha.linkerd.io/failure-accrual-success-rate-min-requests";
const HONOR_RETRY_AFTER: &str = "balancer.alpha.linkerd.io/failure-accrual-honor-retry-after";

/// Proxies refuse a whole policy that asks for more.
const MAX_MIN_REQUESTS: u32 = 1_000_000;

/// Proxies refuse a whole policy with a shorter window, unless its threshold is 0.
const MIN_WINDOW: Duration = Duration::from_millis(10);

enum Mode {
    Consecutive,
    Unified,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Annotations<F> {
    pub(super) fn accrual(
        &self,
        invalid: &mut Vec<InvalidAnnotation>,
    ) -> Result<Option<FailureAccrual>, InvalidAnnotation> {
        let mode = self.read(MODE, "consecutive or unified", |text| match text {
            "consecutive" => Some(Mode::Consecutive),
            "unified" => Some(Mode::Unified),
            _ => None,
        })?;
        let Some(mode) = mode else { return Ok(None) };
        let max_failures = self.read(MAX_FAILURES, "a number from 1", |text| {
            text.trim().parse::<u32>().ok().filter(|failures| *failures > 0)
        })?;
        let (max_failures, backoff) = (max_failures.unwrap_or(7), self.backoff()?);
        Ok(Some(match mode {
            Mode::Consecutive => FailureAccrual::Consecutive { max_failures, backoff },
            Mode::Unified => self.unified(max_failures, backoff, invalid)?,
        }))
    }

    fn backoff(&self) -> Result<Backoff, InvalidAnnotation> {
        let max = self.read(MAX_PENALTY, "a length of time over 0", |text| {
            linkerd_k8s::duration::parse_single_unit(text).filter(|max| !max.is_zero())
        })?;
        let max = max.unwrap_or(Duration::from_secs(60));
        let min = self.duration(MIN_PENALTY)?.unwrap_or(Duration::from_secs(1));
        if min > max {
            let value = (self.get)(MIN_PENALTY).unwrap_or("1s").to_owned();
            let expected = "a length of time that is not over the one of ...-max-penalty";
            return Err(InvalidAnnotation { key: MIN_PENALTY, value, expected });
        }
        let jitter = self.ratio(JITTER, 100.0, "a number from 0 to 100")?;
        Ok(Backoff { min, max, jitter: jitter.unwrap_or(Ratio::HALF) })
    }

    fn unified(
        &self,
        max_failures: u32,
        backoff: Backoff,
        invalid: &mut Vec<InvalidAnnotation>,
    ) -> Result<FailureAccrual, InvalidAnnotation> {
        let success_rate_threshold = self.ratio(THRESHOLD, 1.0, "a number from 0 to 1")?.unwrap_or(Ratio::FOUR_FIFTHS);
        let least = if success_rate_threshold.get() > 0.0 { MIN_WINDOW } else { Duration::from_millis(1) };
        let window = self.read(WINDOW, "a length of time of at least 10ms", |text| {
            linkerd_k8s::duration::parse_single_unit(text).filter(|window| *window >= least)
        })?;
        let min_requests = self.read(MIN_REQUESTS, "a number up to 1000000", |text| {
            text.trim().parse::<u32>().ok().filter(|requests| *requests <= MAX_MIN_REQUESTS)
        })?;
        let honor_retry_after = self.flag(HONOR_RETRY_AFTER).unwrap_or_else(|error| {
            invalid.push(error);
            None
        });
        Ok(FailureAccrual::Unified {
            success_rate_threshold,
            window: window.unwrap_or(Duration::from_secs(10)),
            min_requests: min_requests.unwrap_or(5),
            max_failures,
            backoff,
            honor_retry_after: honor_retry_after.unwrap_or_default(),
        })
    }

    fn ratio(&self, key: &'static str, high: f64, expected: &'static str) -> Result<Option<Ratio>, InvalidAnnotation> {
        self.read(key, expected, |text| Ratio::within(text.trim().parse().ok()?, 0.0, high))
    }
}
