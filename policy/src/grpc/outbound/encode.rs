//! Outbound policies as protobuf.

use crate::{
    core::{
        accrual::{Backoff, FailureAccrual},
        outbound::{
            Backend, HttpRoutes, OpaqueRoute, OutboundPolicy, Parent, Protocol, Route, Rule, ServicePort, Timeouts,
        },
        retry::HttpRetry,
        route::HttpMatch,
        settings::Load,
    },
    grpc::encode::{default_metadata, duration, http_match, route_metadata},
};
use linkerd_proto::{
    destination::WeightedAddr,
    http_route,
    meta::{Metadata, Resource, metadata},
    opaque_route,
    outbound::{self, backend, failure_accrual, http_route as http, opaque_route as opaque, proxy_protocol},
};
use std::time::Duration;

/// Requests that wait for an endpoint.
const QUEUE_CAPACITY: u32 = 100;
/// How long they may wait.
const FAILFAST: Duration = Duration::from_secs(3);
/// Latency of an endpoint that was never used.
const DEFAULT_RTT: Duration = Duration::from_millis(30);
/// Time over which latencies and penalties fade.
const DECAY: Duration = Duration::from_secs(10);
/// Longest request that can be sent again, in bytes.
const MAX_RETRIED_BYTES: u32 = 64 * 1024;

pub(super) fn policy(policy: &OutboundPolicy) -> outbound::OutboundPolicy {
    let kind = match &policy.protocol {
        Protocol::Detect { timeout, http, opaque } => proxy_protocol::Kind::Detect(proxy_protocol::Detect {
            timeout: Some(duration(*timeout)),
            opaque: Some(opaque_protocol(opaque)),
            http1: Some(http1(http)),
            http2: Some(http2(http)),
        }),
        Protocol::Http1(routes) => proxy_protocol::Kind::Http1(http1(routes)),
        Protocol::Http2(routes) => proxy_protocol::Kind::Http2(http2(routes)),
        Protocol::Opaque(route) => proxy_protocol::Kind::Opaque(opaque_protocol(route)),
    };
    let metadata = match &policy.parent {
        Parent::Service(service) => service_metadata(service),
        Parent::Default(name) => default_metadata(name),
    };
    outbound::OutboundPolicy { protocol: Some(outbound::ProxyProtocol { kind: Some(kind) }), metadata: Some(metadata) }
}

/// Proxies refuse a resource without group, so the core group has a name.
fn service_metadata(port: &ServicePort) -> Metadata {
    let resource = Resource {
        group: "core".to_owned(),
        kind: "Service".to_owned(),
        name: port.service.name.clone(),
        namespace: port.service.namespace.clone(),
        section: String::new(),
        port: port.port.into(),
    };
    Metadata { kind: Some(metadata::Kind::Resource(resource)) }
}

fn http1(routes: &HttpRoutes) -> proxy_protocol::Http1 {
    proxy_protocol::Http1 {
        routes: routes.routes.iter().map(http_route).collect(),
        failure_accrual: routes.accrual.as_ref().map(accrual),
    }
}

fn http2(routes: &HttpRoutes) -> proxy_protocol::Http2 {
    let proxy_protocol::Http1 { routes, failure_accrual } = http1(routes);
    proxy_protocol::Http2 { routes, failure_accrual }
}

fn http_route(route: &Route<HttpMatch>) -> outbound::HttpRoute {
    outbound::HttpRoute {
        metadata: Some(route_metadata(&route.source)),
        hosts: Vec::new(),
        rules: route.rules.iter().map(http_rule).collect(),
    }
}

#[allow(deprecated)] // Older proxies read `request_timeout`.
fn http_rule(rule: &Rule<HttpMatch>) -> http::Rule {
    let backends = rule
        .backends
        .iter()
        .map(|each| http::RouteBackend { backend: Some(backend(each)), ..http::RouteBackend::default() });
    let first_available = http::distribution::FirstAvailable { backends: backends.collect() };
    http::Rule {
        matches: rule.matches.iter().map(http_match).collect(),
        filters: Vec::new(),
        backends: Some(http::Distribution { kind: Some(http::distribution::Kind::FirstAvailable(first_available)) }),
        request_timeout: rule.timeouts.as_ref().and_then(|timeouts| timeouts.request).map(duration),
        timeouts: rule.timeouts.as_ref().map(timeouts),
        retry: rule.retry.as_ref().map(http_retry),
        allow_l5d_request_headers: rule.allow_l5d_request_headers,
    }
}

fn timeouts(timeouts: &Timeouts) -> http_route::Timeouts {
    http_route::Timeouts {
        response: timeouts.response.map(duration),
        request: timeouts.request.map(duration),
        idle: timeouts.idle.map(duration),
    }
}

fn http_retry(retry: &HttpRetry) -> http::Retry {
    let ranges = retry
        .statuses
        .0
        .iter()
        .map(|(start, end)| http::retry::conditions::StatusRange { start: (*start).into(), end: (*end).into() });
    http::Retry {
        max_retries: retry.limit.get().into(),
        max_request_bytes: MAX_RETRIED_BYTES,
        conditions: Some(http::retry::Conditions { status_ranges: ranges.collect() }),
        timeout: retry.timeout.map(duration),
        backoff: Some(outbound::ExponentialBackoff {
            min_backoff: Some(duration(Duration::from_millis(25))),
            max_backoff: Some(duration(Duration::from_millis(250))),
            jitter_ratio: 1.0,
            respect_retry_after_hint: false,
        }),
    }
}

fn opaque_protocol(route: &OpaqueRoute) -> proxy_protocol::Opaque {
    let rule = match &route.backend {
        Some(each) => {
            let backends = vec![opaque::RouteBackend { backend: Some(backend(each)), filters: Vec::new() }];
            let first_available = opaque::distribution::FirstAvailable { backends };
            opaque_rule(opaque::distribution::Kind::FirstAvailable(first_available), Vec::new())
        }
        None => {
            let forbidden = opaque::filter::Kind::Forbidden(opaque_route::Forbidden {});
            let filters = vec![opaque::Filter { kind: Some(forbidden) }];
            opaque_rule(opaque::distribution::Kind::Empty(opaque::distribution::Empty {}), filters)
        }
    };
    let route = outbound::OpaqueRoute { metadata: Some(route_metadata(&route.source)), rules: vec![rule] };
    proxy_protocol::Opaque { routes: vec![route] }
}

fn opaque_rule(kind: opaque::distribution::Kind, filters: Vec<opaque::Filter>) -> opaque::Rule {
    opaque::Rule { backends: Some(opaque::Distribution { kind: Some(kind) }), filters }
}

fn backend(backend: &Backend) -> outbound::Backend {
    let (metadata, kind) = match backend {
        Backend::Service { service, authority, load } => {
            (service_metadata(service), backend::Kind::Balancer(balancer(authority, load)))
        }
        Backend::Forward { name, address } => {
            let forward = WeightedAddr { addr: Some((*address).into()), weight: 1, ..WeightedAddr::default() };
            (default_metadata(name), backend::Kind::Forward(forward))
        }
    };
    outbound::Backend {
        metadata: Some(metadata),
        kind: Some(kind),
        queue: Some(outbound::Queue { capacity: QUEUE_CAPACITY, failfast_timeout: Some(duration(FAILFAST)) }),
    }
}

fn balancer(authority: &str, load: &Load) -> backend::BalanceP2c {
    let (default_rtt, decay) = (Some(duration(DEFAULT_RTT)), Some(duration(DECAY)));
    let load = match load {
        Load::PeakEwma => backend::balance_p2c::Load::PeakEwma(backend::balance_p2c::PeakEwma { default_rtt, decay }),
        Load::PenaltyPeakEwma { penalty, max_retry_after } => {
            backend::balance_p2c::Load::PenaltyPeakEwma(backend::balance_p2c::PenaltyPeakEwma {
                default_rtt,
                decay,
                penalty: Some(duration(*penalty)),
                max_retry_after: Some(duration(*max_retry_after)),
                penalty_decay: decay,
            })
        }
    };
    let get = backend::endpoint_discovery::DestinationGet { path: authority.to_owned() };
    backend::BalanceP2c {
        discovery: Some(backend::EndpointDiscovery { kind: Some(backend::endpoint_discovery::Kind::Dst(get)) }),
        load: Some(load),
    }
}

fn accrual(accrual: &FailureAccrual) -> outbound::FailureAccrual {
    let kind = match accrual {
        FailureAccrual::Consecutive { max_failures, backoff } => {
            failure_accrual::Kind::ConsecutiveFailures(failure_accrual::ConsecutiveFailures {
                max_failures: *max_failures,
                backoff: Some(exponential(backoff, false)),
            })
        }
        FailureAccrual::Unified {
            success_rate_threshold,
            window,
            min_requests,
            max_failures,
            backoff,
            honor_retry_after,
        } => failure_accrual::Kind::Unified(failure_accrual::Unified {
            success_rate_threshold: success_rate_threshold.get(),
            decay: Some(duration(*window)),
            min_requests: *min_requests,
            max_consecutive_failures: *max_failures,
            backoff: Some(exponential(backoff, *honor_retry_after)),
        }),
    };
    outbound::FailureAccrual { kind: Some(kind), ejection: None }
}

fn exponential(backoff: &Backoff, respect_retry_after_hint: bool) -> outbound::ExponentialBackoff {
    outbound::ExponentialBackoff {
        min_backoff: Some(duration(backoff.min)),
        max_backoff: Some(duration(backoff.max)),
        jitter_ratio: backoff.jitter.get() as f32,
        respect_retry_after_hint,
    }
}
