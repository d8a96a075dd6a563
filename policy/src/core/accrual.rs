//! Circuit breakers: when an endpoint that fails is left alone for a while.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

/// When an endpoint is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FailureAccrual {
    /// After failures in a row.
    Consecutive {
        /// How many.
        max_failures: u32,
        /// For how long.
        backoff: Backoff,
    },
    /// After failures in a row, or when too few requests succeed.
    Unified {
        /// The least share of requests that must succeed; 0 switches this off.
        success_rate_threshold: Ratio,
        /// Time over which the share is taken.
        window: Duration,
        /// Requests before the share means anything.
        min_requests: u32,
        /// Failures in a row.
        max_failures: u32,
        /// For how long.
        backoff: Backoff,
        /// Whether a `retry-after` header decides how long.
        honor_retry_after: bool,
    },
}

/// Growing times of waiting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The first; not over `max`.
    pub min: Duration,
    /// The longest; not zero.
    pub max: Duration,
    /// Share of each that is random, from 0 to 100.
    pub jitter: Ratio,
}

/// A number that is not NaN.
#[derive(Clone, Copy, Debug)]
pub struct Ratio(f64);

impl Ratio {
    /// 0.5.
    pub const HALF: Self = Self(0.5);
    /// 0.8.
    pub const FOUR_FIFTHS: Self = Self(0.8);

    /// A number that lies in a range, ends included.
    pub fn within(number: f64, low: f64, high: f64) -> Option<Self> {
        // Adding 0 turns a negative zero into the one that is written without a sign.
        (low..=high).contains(&number).then_some(Self(number + 0.0))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Ratio {}

impl Hash for Ratio {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}
