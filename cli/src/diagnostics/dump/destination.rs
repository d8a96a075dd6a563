//! Endpoints and profiles.

use super::{message, oneof};
use linkerd_proto::destination::{
    AuthorityOverride, DestinationProfile, Http2ClientParams, HttpStatusRange, PathMatch, ProtocolHint, RequestMatch,
    ResponseClass, ResponseMatch, RetryBudget, Route, TlsIdentity, WeightedAddr, WeightedDst,
    http2_client_params::{FlowControl, Internals, KeepAlive},
    protocol_hint, request_match, response_match, tls_identity,
};

message!(WeightedAddr {
    addr,
    weight,
    metric_labels,
    tls_identity,
    protocol_hint,
    authority_override,
    http2,
    resource_ref
});
message!(TlsIdentity { server_name, strategy: "Strategy" });
oneof!(tls_identity::Strategy { DnsLikeIdentity, UriLikeIdentity });
message!(tls_identity::DnsLikeIdentity { name });
message!(tls_identity::UriLikeIdentity { uri });
message!(ProtocolHint { opaque_transport, protocol: "Protocol" });
oneof!(protocol_hint::Protocol { H2, Opaque });
message!(protocol_hint::H2 {});
message!(protocol_hint::Opaque {});
message!(protocol_hint::OpaqueTransport { inbound_port });
message!(AuthorityOverride { authority_override });
message!(Http2ClientParams { flow_control, keep_alive, internals });
message!(FlowControl { initial_connection_window_size, initial_stream_window_size, adaptive_flow_control });
message!(KeepAlive { interval, timeout, while_idle });
message!(Internals { max_concurrent_reset_streams, max_frame_size, max_send_buf_size });

message!(DestinationProfile {
    fully_qualified_name,
    opaque_protocol,
    routes,
    retry_budget,
    dst_overrides,
    endpoint,
    parent_ref,
    profile_ref
});
message!(Route { condition, response_classes, metrics_labels, is_retryable, timeout });
message!(RetryBudget { retry_ratio, min_retries_per_second, ttl });
message!(ResponseClass { condition, is_failure });
message!(RequestMatch { r#match: "Match" });
oneof!(request_match::Match { All, Any, Not, Path, Method });
message!(request_match::Seq { matches });
message!(PathMatch { regex });
message!(ResponseMatch { r#match: "Match" });
oneof!(response_match::Match { All, Any, Not, Status });
message!(response_match::Seq { matches });
message!(HttpStatusRange { min, max });
message!(WeightedDst { authority, weight, backend_ref });
