//! ServiceProfiles: per-route metrics, retries and timeouts of a Service, and traffic splits.
//!
//! What cannot be read is left out and listed in [`ServiceProfileSpec::problems`]: one bad route
//! takes neither the others nor the whole watch with it.

mod fields;
mod matches;

pub use self::{
    fields::{Fields, WrongType},
    matches::{InvalidMatch, MAX_DEPTH, MAX_SERVED_NESTING, RequestMatch, ResponseMatch, StatusRange},
};
use crate::{
    duration::{GoDuration, InvalidDuration, parse_go},
    meta::{Meta, resource},
    quantity::{InvalidQuantity, parse_thousandths},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Time over which retries are counted when a budget's own `ttl` cannot be read.
pub const DEFAULT_TTL: Duration = Duration::from_secs(10);

/// Routes of a Service, under the Service's fully qualified name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServiceProfile {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: ServiceProfileSpec,
}
resource!(ServiceProfile, "linkerd.io", "v1alpha2", "ServiceProfile", "serviceprofiles");

/// What a ServiceProfile asks for. `opaquePorts` is ignored, in any shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceProfileSpec {
    /// Routes; the first whose condition holds wins.
    pub routes: Vec<Route>,
    /// Bounds retries.
    pub retry_budget: Option<RetryBudget>,
    /// Targets that replace the Service.
    pub dst_overrides: Vec<DstOverride>,
    /// What was left out of the above.
    pub problems: Vec<Problem>,
}

/// Requests that are counted, retried and timed together.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Value of the metric label `route`.
    pub name: String,
    /// Which requests belong to the route.
    pub condition: RequestMatch,
    /// Whether failed requests may be sent again.
    pub is_retryable: bool,
    /// Longest time for a request and its retries; never zero.
    pub timeout: Option<Duration>,
    /// Which responses are failures; the first whose condition holds wins.
    pub response_classes: Vec<ResponseClass>,
}

/// Responses that are successes or failures alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseClass {
    /// Which responses belong to the class.
    pub condition: ResponseMatch,
    /// Whether they are failures.
    pub is_failure: bool,
}

/// Bounds retries in relation to the original requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryBudget {
    /// Retries per original request.
    pub retry_ratio: f32,
    /// Retries per second that are allowed in any case.
    pub min_retries_per_second: u32,
    /// Time over which requests are counted; absent when it is zero or negative.
    pub ttl: Option<Duration>,
}

/// A target that takes a share of the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DstOverride {
    /// `host` or `host:port`; empty when missing.
    pub authority: String,
    /// Share of the traffic in thousandths of a quantity, rounded up; 0 when missing or negative.
    pub weight_thousandths: u64,
}

/// A part of a ServiceProfile that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, such as `spec.routes[2]`.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// Why a part of a ServiceProfile is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A field has the wrong type.
    #[error(transparent)]
    WrongType(#[from] WrongType),
    /// A route or response class without a condition.
    #[error("has no condition")]
    NoCondition,
    /// A condition that says nothing or something impossible.
    #[error("{0}")]
    Match(#[from] InvalidMatch),
    /// A condition that is too deep for proxies.
    #[error("conditions are nested deeper than proxies decode")]
    TooDeepForProxies,
    /// A length of time that is none.
    #[error("{0}")]
    Duration(#[from] InvalidDuration),
    /// A length of time that must not be negative.
    #[error("must not be negative")]
    Negative,
    /// A weight that is no quantity.
    #[error("{0}")]
    Quantity(#[from] InvalidQuantity),
}

impl<'de> Deserialize<'de> for ServiceProfileSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&Value::deserialize(deserializer)?))
    }
}

impl ServiceProfileSpec {
    /// Reads a specification. It never fails: what cannot be read is among the problems.
    pub fn read(value: &Value) -> Self {
        let mut problems = Problems::default();
        let spec = if value.is_null() { None } else { problems.keep("spec", Fields::of(value, "spec")) };
        let Some(fields) = spec else { return Self { problems: problems.0, ..Self::default() } };
        let routes = problems.read_each(fields, "spec", "routes", Route::read);
        let dst_overrides = problems.read_each(fields, "spec", "dstOverrides", |value, path, problems| {
            problems.keep(path, DstOverride::read(value))
        });
        let budget = fields.get("retryBudget");
        let retry_budget = budget.and_then(|budget| RetryBudget::read(budget, "spec.retryBudget", &mut problems));
        Self { routes, retry_budget, dst_overrides, problems: problems.0 }
    }
}

impl Route {
    fn read(value: &Value, path: &str, problems: &mut Problems) -> Option<Self> {
        let fields = problems.keep(path, Fields::of(value, "route"))?;
        let name = problems.keep(path, fields.text("name"))?.unwrap_or_default().into_owned();
        let condition = problems.keep(path, fields.get("condition").ok_or(Reason::NoCondition))?;
        let condition = problems.keep(path, RequestMatch::read(condition))?;
        let is_too_deep = condition.nesting() > MAX_SERVED_NESTING;
        problems.keep(path, if is_too_deep { Err(Reason::TooDeepForProxies) } else { Ok(()) })?;
        let is_retryable = problems.keep(path, fields.flag("isRetryable"))?;
        let timeout = problems.keep(path, fields.text("timeout"))?;
        let timeout = timeout.filter(|text| !text.is_empty()).and_then(|text| {
            let path = format!("{path}.timeout");
            positive(problems.keep(&path, parse_go(&text))?, &path, problems)
        });
        let response_classes = problems.read_each(fields, path, "responseClasses", |value, path, problems| {
            problems.keep(path, ResponseClass::read(value))
        });
        Some(Self { name, condition, is_retryable, timeout, response_classes })
    }
}

impl ResponseClass {
    fn read(value: &Value) -> Result<Self, Reason> {
        let fields = Fields::of(value, "response class")?;
        let condition = ResponseMatch::read(fields.get("condition").ok_or(Reason::NoCondition)?)?;
        if condition.nesting() > MAX_SERVED_NESTING {
            return Err(Reason::TooDeepForProxies);
        }
        Ok(Self { condition, is_failure: fields.flag("isFailure")? })
    }
}

impl RetryBudget {
    fn read(value: &Value, path: &str, problems: &mut Problems) -> Option<Self> {
        let fields = problems.keep(path, Fields::of(value, "retryBudget"))?;
        let retry_ratio = problems.keep(path, fields.float("retryRatio"))?;
        let min_retries_per_second = problems.keep(path, fields.unsigned("minRetriesPerSecond"))?;
        let ttl_path = format!("{path}.ttl");
        let text = problems.keep(&ttl_path, fields.text("ttl")).flatten().unwrap_or_default();
        let ttl = match problems.keep(&ttl_path, parse_go(&text)) {
            Some(ttl) => positive(ttl, &ttl_path, problems),
            None => Some(DEFAULT_TTL),
        };
        Some(Self { retry_ratio, min_retries_per_second, ttl })
    }
}

impl DstOverride {
    fn read(value: &Value) -> Result<Self, Reason> {
        let fields = Fields::of(value, "override")?;
        let authority = fields.text("authority")?.unwrap_or_default().into_owned();
        let weight = fields.text("weight")?.map_or(Ok(0), |text| parse_thousandths(&text))?;
        Ok(Self { authority, weight_thousandths: u64::try_from(weight).unwrap_or(0) })
    }
}

/// A length of time, if there is any.
fn positive(duration: GoDuration, path: &str, problems: &mut Problems) -> Option<Duration> {
    let sign = if duration.is_negative { Err(Reason::Negative) } else { Ok(duration.length) };
    problems.keep(path, sign).filter(|length| !length.is_zero())
}

/// Collects what is left out.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn keep<T>(&mut self, path: &str, result: Result<T, impl Into<Reason>>) -> Option<T> {
        result.map_err(|reason| self.0.push(Problem { path: path.to_owned(), reason: reason.into() })).ok()
    }

    fn read_each<T>(
        &mut self,
        fields: Fields<'_>,
        parent: &str,
        field: &'static str,
        read: impl Fn(&Value, &str, &mut Self) -> Option<T>,
    ) -> Vec<T> {
        let list = self.keep(parent, fields.list(field)).flatten().unwrap_or_default();
        let read_at = |(i, value)| read(value, &format!("{parent}.{field}[{i}]"), self);
        list.iter().enumerate().filter_map(read_at).collect()
    }
}

#[cfg(test)]
mod tests;
