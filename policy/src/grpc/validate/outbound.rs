//! Outbound policies, as far as this version sends them.

use super::{Faults, named, route};
use linkerd_proto::{
    Duration,
    outbound::{
        Backend, ExponentialBackoff, FailureAccrual, HttpRoute, OutboundPolicy, backend, failure_accrual,
        http_route::{self, distribution::Kind as HttpDistribution, filter::Kind as HttpFilter},
        opaque_route::{self, distribution::Kind as OpaqueDistribution},
        proxy_protocol::{Kind, Opaque},
    },
};

pub(super) fn policy(policy: &OutboundPolicy, faults: &mut Faults) {
    named(&policy.metadata, true, faults);
    let Some(protocol) = faults.some(&policy.protocol, "protocol") else { return };
    match faults.some(&protocol.kind, "protocol.kind") {
        Some(Kind::Detect(detect)) => {
            faults.some(&detect.timeout, "timeout of detection");
            if let Some(each) = faults.some(&detect.opaque, "opaque") {
                opaque(each, faults);
            }
            if let Some(each) = faults.some(&detect.http1, "http1") {
                http(&each.routes, each.failure_accrual.as_ref(), faults);
            }
            if let Some(each) = faults.some(&detect.http2, "http2") {
                http(&each.routes, each.failure_accrual.as_ref(), faults);
            }
        }
        Some(Kind::Http1(each)) => http(&each.routes, each.failure_accrual.as_ref(), faults),
        Some(Kind::Http2(each)) => http(&each.routes, each.failure_accrual.as_ref(), faults),
        Some(Kind::Opaque(each)) => opaque(each, faults),
        Some(Kind::Grpc(_) | Kind::Tls(_)) => faults.unless(false, "a protocol that this version does not send"),
        None => {}
    }
}

fn opaque(opaque: &Opaque, faults: &mut Faults) {
    faults.unless(opaque.routes.len() == 1, "more or less than one opaque route");
    for route in &opaque.routes {
        named(&route.metadata, true, faults);
        faults.unless(route.rules.len() == 1, "more or less than one rule of an opaque route");
        for rule in &route.rules {
            opaque_filters(&rule.filters, faults);
            let backends = faults.some(&rule.backends, "backends");
            let backends: Vec<_> = match backends.and_then(|backends| faults.some(&backends.kind, "backends.kind")) {
                Some(OpaqueDistribution::FirstAvailable(first)) => first.backends.iter().map(Some).collect(),
                Some(OpaqueDistribution::RandomAvailable(random)) => {
                    weights(random.backends.iter().map(|each| each.weight), faults);
                    random.backends.iter().map(|each| faults.some(&each.backend, "weighted backend")).collect()
                }
                Some(OpaqueDistribution::Empty(_)) | None => continue,
            };
            faults.unless(!backends.is_empty(), "no backend");
            for each in backends.into_iter().flatten() {
                opaque_filters(&each.filters, faults);
                backend(&each.backend, faults);
            }
        }
    }
}

fn opaque_filters(filters: &[opaque_route::Filter], faults: &mut Faults) {
    for filter in filters {
        faults.some(&filter.kind, "kind of filter");
    }
}

fn http(routes: &[HttpRoute], accrual: Option<&FailureAccrual>, faults: &mut Faults) {
    for route in routes {
        named(&route.metadata, true, faults);
        route::hosts(&route.hosts, faults);
        route.rules.iter().for_each(|rule| http_rule(rule, faults));
    }
    if let Some(accrual) = accrual {
        failure_accrual(accrual, faults);
    }
}

fn http_rule(rule: &http_route::Rule, faults: &mut Faults) {
    rule.matches.iter().for_each(|matches| route::http_match(matches, faults));
    http_filters(&rule.filters, faults);
    if let Some(retry) = &rule.retry {
        http_retry(retry, faults);
    }
    let backends = faults.some(&rule.backends, "backends");
    let backends: Vec<_> = match backends.and_then(|backends| faults.some(&backends.kind, "backends.kind")) {
        Some(HttpDistribution::FirstAvailable(first)) => first.backends.iter().map(Some).collect(),
        Some(HttpDistribution::RandomAvailable(random)) => {
            weights(random.backends.iter().map(|each| each.weight), faults);
            random.backends.iter().map(|each| faults.some(&each.backend, "weighted backend")).collect()
        }
        Some(HttpDistribution::Empty(_)) | None => return,
    };
    faults.unless(!backends.is_empty(), "no backend");
    for each in backends.into_iter().flatten() {
        http_filters(&each.filters, faults);
        backend(&each.backend, faults);
    }
}

/// A choice of several by weights that are all zero makes the proxy panic.
fn weights(mut weights: impl Iterator<Item = u32>, faults: &mut Faults) {
    faults.unless(weights.any(|weight| weight > 0), "all weights are zero");
}

fn http_filters(filters: &[http_route::Filter], faults: &mut Faults) {
    for filter in filters {
        match faults.some(&filter.kind, "kind of filter") {
            Some(HttpFilter::FailureInjector(failure)) => {
                faults.unless((100..1000).contains(&failure.status), "status of failure");
                let ratio = failure.ratio.as_ref();
                faults.unless(ratio.is_none_or(|ratio| ratio.denominator > 0), "ratio of failure");
            }
            Some(HttpFilter::RequestHeaderModifier(modifier)) => {
                route::header_modifier(&modifier.add, &modifier.set, &modifier.remove, faults);
            }
            Some(HttpFilter::ResponseHeaderModifier(modifier)) => {
                route::header_modifier(&modifier.add, &modifier.set, &modifier.remove, faults);
            }
            Some(HttpFilter::Redirect(redirect)) => route::redirect(redirect, faults),
            None => {}
        }
    }
}

fn http_retry(retry: &http_route::Retry, faults: &mut Faults) {
    faults.unless(retry.max_retries <= u32::from(u16::MAX), "too many retries");
    for range in faults.some(&retry.conditions, "conditions of retry").iter().flat_map(|each| &each.status_ranges) {
        let is_valid = 1 <= range.start && range.start <= range.end && range.end <= 599;
        faults.unless(is_valid, "range of statuses");
    }
    if let Some(each) = &retry.backoff {
        backoff(each, faults);
    }
}

fn backend(value: &Option<Backend>, faults: &mut Faults) {
    let Some(each) = faults.some(value, "backend") else { return };
    named(&each.metadata, true, faults);
    if let Some(queue) = faults.some(&each.queue, "queue") {
        faults.unless(queue.capacity > 0, "queue without capacity");
        faults.some(&queue.failfast_timeout, "failfast timeout of queue");
    }
    match &each.kind {
        Some(backend::Kind::Balancer(balancer)) => {
            let discovery = faults.some(&balancer.discovery, "discovery");
            discovery.and_then(|discovery| faults.some(&discovery.kind, "discovery.kind"));
            match faults.some(&balancer.load, "load") {
                Some(backend::balance_p2c::Load::PeakEwma(load)) => {
                    faults.some(&load.default_rtt, "default RTT");
                    faults.some(&load.decay, "decay");
                }
                Some(backend::balance_p2c::Load::PenaltyPeakEwma(_)) | None => {}
            }
        }
        Some(backend::Kind::Forward(forward)) => {
            let address = forward.addr.and_then(|address| std::net::SocketAddr::try_from(address).ok());
            faults.unless(address.is_some(), "address to forward to");
        }
        None => {}
    }
}

fn failure_accrual(accrual: &FailureAccrual, faults: &mut Faults) {
    let each = match faults.some(&accrual.kind, "kind of failure accrual") {
        Some(failure_accrual::Kind::ConsecutiveFailures(consecutive)) => &consecutive.backoff,
        Some(failure_accrual::Kind::Unified(unified)) => {
            let threshold = unified.success_rate_threshold;
            faults.unless((0.0..=1.0).contains(&threshold), "threshold of success rate");
            let window = unified.decay.map_or(0.0, seconds);
            faults.unless(threshold == 0.0 || window >= 0.010, "window of success rate");
            faults.unless(unified.min_requests <= 1_000_000, "min requests of success rate");
            &unified.backoff
        }
        None => return,
    };
    if let Some(each) = faults.some(each, "backoff") {
        backoff(each, faults);
    }
}

fn backoff(backoff: &ExponentialBackoff, faults: &mut Faults) {
    let (min, max) = (backoff.min_backoff.map_or(0.0, seconds), backoff.max_backoff.map_or(0.0, seconds));
    faults.unless(min <= max && max > 0.0, "bounds of backoff");
    faults.unless((0.0..=100.0).contains(&backoff.jitter_ratio), "jitter of backoff");
}

fn seconds(duration: Duration) -> f64 {
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}
