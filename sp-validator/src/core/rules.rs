//! The rules that a decodable ServiceProfile must keep, in order.

use super::decode::DecodeError;
use linkerd_k8s::{
    duration::{InvalidDuration, parse_go},
    identity::is_dns_subdomain,
    service_profile::{Fields, InvalidMatch, RequestMatch, ResponseMatch, WrongType},
};
use serde_json::Value;

/// Why a ServiceProfile is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// It cannot be decoded.
    #[error("failed to validate ServiceProfile: error unmarshaling JSON: while decoding JSON: {0}")]
    Undecodable(#[from] DecodeError),
    /// It breaks a rule.
    #[error("ServiceProfile {name:?} {rule}")]
    Broken {
        /// Name of the ServiceProfile.
        name: String,
        /// The rule.
        rule: Rule,
    },
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rule {
    /// The name is no DNS subdomain.
    #[error(
        "has invalid name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
         '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )]
    Name,
    /// The name is too long.
    #[error("has invalid name: must be no more than 253 characters")]
    LongName,
    /// A route is null.
    #[error("has a null route")]
    NullRoute,
    /// A route has no name.
    #[error("has a route with no name")]
    RouteName,
    /// A route's timeout is no duration.
    #[error("has a route with an invalid timeout: {0}")]
    RouteTimeout(InvalidDuration),
    /// A route has no condition.
    #[error("has a route with no condition")]
    RouteCondition,
    /// A route's condition is invalid.
    #[error("has a route with an invalid condition: {0}")]
    RequestMatch(InvalidMatch),
    /// A response class is null.
    #[error("has a null response class")]
    NullResponseClass,
    /// A response class has no condition.
    #[error("has a response class with no condition")]
    ResponseClassCondition,
    /// A response class's condition is invalid.
    #[error("has a response class with an invalid condition: {0}")]
    ResponseMatch(InvalidMatch),
    /// The budget's ratio is negative.
    #[error("RetryBudget RetryRatio must be non-negative: {0:.6}")]
    RetryRatio(f32),
    /// The budget has no ttl.
    #[error("RetryBudget missing TTL field")]
    MissingTtl,
    /// The budget's ttl is no duration.
    #[error("RetryBudget: {0}")]
    Ttl(InvalidDuration),
    /// A field has the wrong type. Strict decoding comes first and words it in more detail.
    #[error("cannot be read: {0}")]
    WrongType(#[from] WrongType),
}

/// Checks the rules; the object has passed strict decoding.
pub(super) fn check(object: &Value) -> Result<(), Rejection> {
    let name = name(object).unwrap_or_default();
    check_rules(object, &name).map_err(|rule| Rejection::Broken { name, rule })
}

/// Name of the object, if it can be read.
pub(super) fn name(object: &Value) -> Option<String> {
    let meta = Fields::of(object, "object").ok()?.get("metadata")?;
    Some(Fields::of(meta, "metadata").ok()?.text("name").ok()??.into_owned())
}

fn check_rules(object: &Value, name: &str) -> Result<(), Rule> {
    if name.len() > 253 {
        return Err(Rule::LongName);
    }
    if !is_dns_subdomain(name) {
        return Err(Rule::Name);
    }
    let Some(spec) = Fields::of(object, "object")?.get("spec") else { return Ok(()) };
    let spec = Fields::of(spec, "spec")?;
    spec.list("routes")?.unwrap_or_default().iter().try_for_each(check_route)?;
    spec.get("retryBudget").map_or(Ok(()), check_retry_budget)
}

fn check_route(route: &Value) -> Result<(), Rule> {
    if route.is_null() {
        return Err(Rule::NullRoute);
    }
    let route = Fields::of(route, "route")?;
    if route.text("name")?.is_none_or(|name| name.is_empty()) {
        return Err(Rule::RouteName);
    }
    if let Some(timeout) = route.text("timeout")?.filter(|timeout| !timeout.is_empty()) {
        parse_go(&timeout).map_err(Rule::RouteTimeout)?;
    }
    let condition = route.get("condition").ok_or(Rule::RouteCondition)?;
    RequestMatch::read(condition).map_err(Rule::RequestMatch)?;
    route.list("responseClasses")?.unwrap_or_default().iter().try_for_each(check_response_class)
}

fn check_response_class(class: &Value) -> Result<(), Rule> {
    if class.is_null() {
        return Err(Rule::NullResponseClass);
    }
    let condition = Fields::of(class, "response class")?.get("condition").ok_or(Rule::ResponseClassCondition)?;
    ResponseMatch::read(condition).map_err(Rule::ResponseMatch).map(drop)
}

fn check_retry_budget(budget: &Value) -> Result<(), Rule> {
    let budget = Fields::of(budget, "retryBudget")?;
    let ratio = budget.float("retryRatio")?;
    if ratio < 0.0 {
        return Err(Rule::RetryRatio(ratio));
    }
    let ttl = budget.text("ttl")?.filter(|ttl| !ttl.is_empty()).ok_or(Rule::MissingTtl)?;
    parse_go(&ttl).map_err(Rule::Ttl).map(drop)
}
