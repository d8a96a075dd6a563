//! Policy of outbound traffic.

use super::{message, oneof};
use linkerd_proto::outbound::{
    Backend, EjectionConfig, ExponentialBackoff, FailureAccrual, GrpcRoute, HttpRoute, OpaqueRoute, OutboundPolicy,
    ProxyProtocol, Queue, TlsRoute,
    backend::{self, BalanceP2c, EndpointDiscovery, balance_p2c, endpoint_discovery},
    failure_accrual::{self, ConsecutiveFailures, Unified},
    grpc_route, http_route, opaque_route,
    proxy_protocol::{self, Detect, Grpc, Http1, Http2, Opaque, Tls},
    tls_route,
};

message!(OutboundPolicy { protocol, metadata });

message!(ProxyProtocol { kind: "Kind" });
oneof!(proxy_protocol::Kind { Detect, Opaque, Http1, Http2, Grpc, Tls });
message!(Detect { timeout, opaque, http1, http2 });
message!(Opaque { routes });
message!(Http1 { routes, failure_accrual });
message!(Http2 { routes, failure_accrual });
message!(Grpc { routes, failure_accrual });
message!(Tls { routes });

/// Where the routes of a kind lead.
macro_rules! distribution {
    ($route:ident) => {
        message!($route::Filter { kind: "Kind" });
        message!($route::Distribution { kind: "Kind" });
        oneof!($route::distribution::Kind { Empty, FirstAvailable, RandomAvailable });
        message!($route::distribution::Empty {});
        message!($route::distribution::FirstAvailable { backends });
        message!($route::distribution::RandomAvailable { backends });
        message!($route::WeightedRouteBackend { backend, weight });
    };
}

/// Rules of routes that have requests.
macro_rules! request_rules {
    ($route:ident) => {
        message!(
            #[expect(deprecated, reason = "a control plane may still set the field that `timeouts` replaced")]
            $route::Rule {
                matches,
                filters,
                backends,
                request_timeout: "requestTimeout",
                timeouts,
                retry,
                allow_l5d_request_headers,
            }
        );
        message!(
            #[expect(deprecated, reason = "as in rules")]
            $route::RouteBackend { backend, filters, request_timeout: "requestTimeout" }
        );
        message!($route::Retry { max_retries, max_request_bytes, conditions, timeout, backoff });
    };
}

/// Rules of routes that have connections.
macro_rules! connection_rules {
    ($route:ident) => {
        message!($route::Rule { backends, filters });
        message!($route::RouteBackend { backend, filters });
        oneof!($route::filter::Kind { Invalid, Forbidden });
    };
}

message!(HttpRoute { metadata, hosts, rules });
distribution!(http_route);
request_rules!(http_route);
oneof!(http_route::filter::Kind { FailureInjector, RequestHeaderModifier, Redirect, ResponseHeaderModifier });
message!(http_route::retry::Conditions { status_ranges });
message!(http_route::retry::conditions::StatusRange { start, end });

message!(GrpcRoute { metadata, hosts, rules });
distribution!(grpc_route);
request_rules!(grpc_route);
oneof!(grpc_route::filter::Kind { FailureInjector, RequestHeaderModifier });
message!(grpc_route::retry::Conditions { cancelled, deadine_exceeded, resource_exhausted, internal, unavailable });

message!(OpaqueRoute { metadata, rules });
distribution!(opaque_route);
connection_rules!(opaque_route);

message!(TlsRoute { metadata, snis, rules });
distribution!(tls_route);
connection_rules!(tls_route);

message!(Backend { metadata, queue, kind: "Kind" });
oneof!(backend::Kind { Forward, Balancer });
message!(EndpointDiscovery { kind: "Kind" });
oneof!(endpoint_discovery::Kind { Dst });
message!(endpoint_discovery::DestinationGet { path });
message!(BalanceP2c { discovery, load: "Load" });
oneof!(balance_p2c::Load { PeakEwma, PenaltyPeakEwma });
message!(balance_p2c::PeakEwma { default_rtt, decay });
message!(balance_p2c::PenaltyPeakEwma { default_rtt, decay, penalty, max_retry_after, penalty_decay });
message!(Queue { capacity, failfast_timeout });

message!(FailureAccrual { ejection, kind: "Kind" });
oneof!(failure_accrual::Kind { ConsecutiveFailures, Unified });
message!(ConsecutiveFailures { max_failures, backoff });
message!(Unified { success_rate_threshold, decay, min_requests, max_consecutive_failures, backoff });
message!(EjectionConfig { min_ready_endpoints });
message!(ExponentialBackoff { min_backoff, max_backoff, jitter_ratio, respect_retry_after_hint });
