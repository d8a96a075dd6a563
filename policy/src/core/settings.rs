//! Annotations of a Service that say how requests to it are sent.
//!
//! Annotations form groups. One invalid value leaves out its whole group, and no other.

mod accrual;

use super::{
    accrual::FailureAccrual,
    outbound::Timeouts,
    retry::{HttpRetry, StatusRanges},
};
use linkerd_k8s::duration::parse_single_unit;
use std::{num::NonZero, time::Duration};

const TIMEOUT_REQUEST: &str = "timeout.linkerd.io/request";
const TIMEOUT_RESPONSE: &str = "timeout.linkerd.io/response";
const TIMEOUT_IDLE: &str = "timeout.linkerd.io/idle";
const RETRY_LIMIT: &str = "retry.linkerd.io/limit";
const RETRY_TIMEOUT: &str = "retry.linkerd.io/timeout";
const RETRY_HTTP: &str = "retry.linkerd.io/http";
const PENALIZE: &str = "balancer.alpha.linkerd.io/penalize-failures";
const PENALTY: &str = "balancer.alpha.linkerd.io/load-biaser-penalty";
const MAX_RETRY_AFTER: &str = "balancer.alpha.linkerd.io/load-biaser-max-retry-after";

/// Longest penalty, in milliseconds.
const MAX_PENALTY_MILLIS: u128 = u32::MAX as u128;

/// How requests to a Service are sent, where no route says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Retries of HTTP requests.
    pub http_retry: Option<HttpRetry>,
    /// Circuit breaker.
    pub accrual: Option<FailureAccrual>,
    /// How failures count in the choice of an endpoint.
    pub load: Load,
}

/// How a balancer estimates the load of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Load {
    /// By latency.
    #[default]
    PeakEwma,
    /// By latency; a failure counts as a slow answer.
    PenaltyPeakEwma {
        /// The latency that a failure counts as.
        penalty: Duration,
        /// Longest `retry-after` that counts.
        max_retry_after: Duration,
    },
}

/// An annotation with a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("annotation {key} cannot be {value:?}; use {expected}")]
pub struct InvalidAnnotation {
    /// Key.
    pub key: &'static str,
    /// Value.
    pub value: String,
    /// What it can be.
    pub expected: &'static str,
}

impl Settings {
    /// Reads the annotations of a Service. Groups that cannot be read are left out, with the reason.
    pub fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> (Self, Vec<InvalidAnnotation>) {
        let annotations = Annotations { get };
        let mut invalid = Vec::new();
        let settings = Self {
            timeouts: keep(annotations.timeouts(), &mut invalid),
            http_retry: keep(annotations.http_retry(), &mut invalid),
            accrual: keep(annotations.accrual(&mut invalid), &mut invalid),
            load: keep(annotations.load(), &mut invalid),
        };
        (settings, invalid)
    }
}

fn keep<T: Default>(group: Result<T, InvalidAnnotation>, invalid: &mut Vec<InvalidAnnotation>) -> T {
    group.unwrap_or_else(|error| {
        invalid.push(error);
        T::default()
    })
}

struct Annotations<F> {
    get: F,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Annotations<F> {
    /// An annotation, if there is one, as `parse` reads it.
    fn read<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, InvalidAnnotation> {
        let Some(value) = (self.get)(key) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| InvalidAnnotation { key, value: value.to_owned(), expected })
    }

    fn duration(&self, key: &'static str) -> Result<Option<Duration>, InvalidAnnotation> {
        self.read(key, "one number with a unit of ms, s, m, h or d", parse_single_unit)
    }

    /// A length of time, of which zero means none.
    fn positive(&self, key: &'static str) -> Result<Option<Duration>, InvalidAnnotation> {
        Ok(self.duration(key)?.filter(|length| !length.is_zero()))
    }

    fn flag(&self, key: &'static str) -> Result<Option<bool>, InvalidAnnotation> {
        self.read(key, "true or false", |text| match text.trim() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        })
    }

    fn timeouts(&self) -> Result<Timeouts, InvalidAnnotation> {
        Ok(Timeouts {
            request: self.positive(TIMEOUT_REQUEST)?,
            response: self.positive(TIMEOUT_RESPONSE)?,
            idle: self.positive(TIMEOUT_IDLE)?,
        })
    }

    fn http_retry(&self) -> Result<Option<HttpRetry>, InvalidAnnotation> {
        let limit = self.read(RETRY_LIMIT, "a number from 0 to 65535", |text| text.parse().ok())?;
        let limit = limit.and_then(NonZero::<u16>::new);
        let timeout = self.positive(RETRY_TIMEOUT)?;
        let statuses = self.read(RETRY_HTTP, "5xx, gateway-error, NNN or NNN-MMM, joined by commas", |text| {
            text.parse::<StatusRanges>().ok()
        })?;
        if limit.is_none() && timeout.is_none() && statuses.is_none() {
            return Ok(None);
        }
        Ok(Some(HttpRetry {
            limit: limit.unwrap_or(NonZero::<u16>::MIN),
            timeout,
            statuses: statuses.unwrap_or_default(),
        }))
    }

    fn load(&self) -> Result<Load, InvalidAnnotation> {
        let penalty = self.read(PENALTY, "a length of time of at most 2^32-1 ms", |text| {
            parse_single_unit(text).filter(|penalty| penalty.as_millis() <= MAX_PENALTY_MILLIS)
        })?;
        let max_retry_after = self.duration(MAX_RETRY_AFTER)?;
        Ok(if self.flag(PENALIZE)?.unwrap_or_default() {
            Load::PenaltyPeakEwma {
                penalty: penalty.unwrap_or(Duration::from_secs(5)),
                max_retry_after: max_retry_after.unwrap_or(Duration::from_secs(300)),
            }
        } else {
            Load::PeakEwma
        })
    }
}

#[cfg(test)]
mod tests;
