//! What a valid ServiceProfile asks for in vain.

use super::rules;
use linkerd_k8s::{
    identity::is_dns_label,
    service_profile::{
        DstOverride, Fields, Reason, RequestMatch, ResponseMatch, RetryBudget, Route, ServiceProfileSpec, StatusRange,
    },
};
use regex::RegexBuilder;
use serde_json::Value;
use std::{ops::RangeInclusive, time::Duration};

/// Most warnings for one object; the API server cuts longer lists anyway.
const MAX_WARNINGS: usize = 32;

/// Most regular expressions that are compiled for one object, so that it cannot keep a core busy.
const MAX_REGEXES: usize = 256;

/// Largest program of a regular expression that is compiled, in bytes. Proxies take ten times as much;
/// what is in between is let pass without a word.
const MAX_REGEX_SIZE: usize = 1 << 20;

/// Retry budgets outside of these ranges are ignored by proxies.
const RATIOS: RangeInclusive<f32> = 0.0..=1000.0;
const MAX_MIN_RETRIES: u32 = i32::MAX as u32;
const TTLS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// The warnings for an object that keeps every rule.
pub(super) fn of(object: &Value) -> Vec<String> {
    let mut warnings = Warnings { list: Vec::new(), regexes: 0 };
    let name = rules::name(object).unwrap_or_default();
    if !is_service_name(&name) {
        warnings.add(format!(
            "ServiceProfile {name:?} is used for no Service: its name must be <service>.<namespace>.svc.<cluster-domain>"
        ));
    }
    if let Some(value) = Fields::of(object, "object").ok().and_then(|fields| fields.get("spec")) {
        warnings.spec(value, &ServiceProfileSpec::read(value));
    }
    warnings.list
}

struct Warnings {
    list: Vec<String>,
    regexes: usize,
}

impl Warnings {
    fn add(&mut self, warning: String) {
        if self.list.len() < MAX_WARNINGS {
            self.list.push(warning);
        }
    }

    fn spec(&mut self, value: &Value, spec: &ServiceProfileSpec) {
        if Fields::of(value, "spec").is_ok_and(|fields| fields.get("opaquePorts").is_some()) {
            self.add(
                "spec.opaquePorts is ignored; annotate the Service with config.linkerd.io/opaque-ports".to_owned(),
            );
        }
        for problem in &spec.problems {
            let consequence = match problem.reason {
                Reason::Negative => "is ignored",
                _ => "is left out",
            };
            self.add(format!("{} {consequence}: {}", problem.path, problem.reason));
        }
        spec.routes.iter().for_each(|route| self.route(route));
        if let Some(budget) = &spec.retry_budget {
            self.retry_budget(budget);
        }
        spec.dst_overrides.iter().enumerate().for_each(|(i, target)| self.dst_override(i, target));
    }

    fn route(&mut self, route: &Route) {
        self.request(&route.name, &route.condition);
        for class in &route.response_classes {
            self.response(&route.name, &class.condition);
        }
    }

    fn request(&mut self, route: &str, condition: &RequestMatch) {
        match condition {
            RequestMatch::All(children) | RequestMatch::Any(children) => {
                children.iter().for_each(|child| self.request(route, child));
            }
            RequestMatch::Not(child) => self.request(route, child),
            RequestMatch::Method(_) => {}
            RequestMatch::PathRegex(regex) => {
                self.regexes += 1;
                if self.regexes <= MAX_REGEXES && !is_regex(regex) {
                    self.add(format!("route {route:?} is ignored: pathRegex {regex:?} is no regular expression"));
                }
            }
        }
    }

    fn response(&mut self, route: &str, condition: &ResponseMatch) {
        match condition {
            ResponseMatch::All(children) | ResponseMatch::Any(children) => {
                children.iter().for_each(|child| self.response(route, child));
            }
            ResponseMatch::Not(child) => self.response(route, child),
            ResponseMatch::Status(range) => self.status(route, *range),
        }
    }

    fn status(&mut self, route: &str, range: StatusRange) {
        let (code, _) = range.bounds();
        if range.is_empty() {
            self.add(format!("route {route:?} has a response class that is ignored: its status range has no bounds"));
        } else if range.is_one_sided() {
            self.add(format!("route {route:?} has a status range with one bound, which means {code} alone"));
        }
    }

    fn retry_budget(&mut self, budget: &RetryBudget) {
        let mut ignored = |why: &str| self.add(format!("spec.retryBudget is ignored, so nothing is retried: {why}"));
        if !RATIOS.contains(&budget.retry_ratio) {
            ignored("retryRatio is over 1000");
        }
        if budget.min_retries_per_second > MAX_MIN_RETRIES {
            ignored("minRetriesPerSecond is over 2147483647");
        }
        if budget.ttl.is_none_or(|ttl| !TTLS.contains(&ttl)) {
            ignored("ttl is not from 1s to 60s");
        }
    }

    fn dst_override(&mut self, i: usize, target: &DstOverride) {
        if !is_authority(&target.authority) {
            self.add(format!(
                "spec.dstOverrides[{i}] is ignored: authority {:?} is neither a DNS name nor a DNS name and a port",
                target.authority
            ));
        }
        if target.weight_thousandths == 0 {
            self.add(format!("spec.dstOverrides[{i}] is ignored: its weight is not positive"));
        }
    }
}

/// Whether proxies can read a regular expression, which they trim and anchor.
fn is_regex(text: &str) -> bool {
    let compiled = RegexBuilder::new(&format!("^{}$", text.trim())).size_limit(MAX_REGEX_SIZE).build();
    !matches!(compiled, Err(regex::Error::Syntax(_)))
}

/// Whether a name is `<service>.<namespace>.svc.<cluster-domain>`.
fn is_service_name(name: &str) -> bool {
    let mut labels = name.split('.');
    let mut label = || labels.next().filter(|label| is_dns_label(label));
    label().is_some() && label().is_some() && label() == Some("svc") && label().is_some()
}

/// Whether a text is `dns-name` or `dns-name:port`.
fn is_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_name = host.parse::<std::net::IpAddr>().is_err() && host.split('.').all(is_dns_label);
    is_name && port.is_none_or(|port| port.parse::<u16>().is_ok())
}
