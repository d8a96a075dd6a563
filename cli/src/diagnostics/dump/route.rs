//! What routes of every direction match and do.

use super::{message, oneof};
use linkerd_proto::{
    grpc_route,
    http_route::{self, header_match, host_match, path_match, path_modifier, query_param_match},
    opaque_route,
    tls_route::{self, sni_match},
};

message!(http_route::HostMatch { r#match: "Match" });
oneof!(host_match::Match { Exact, Suffix });
message!(host_match::Suffix { reverse_labels });
message!(http_route::HttpRouteMatch { path, headers, query_params, method });
message!(http_route::PathMatch { kind: "Kind" });
oneof!(path_match::Kind { Exact, Prefix, Regex });
message!(http_route::HeaderMatch { name, value: "Value" });
oneof!(header_match::Value { Exact, Regex });
message!(http_route::QueryParamMatch { name, value: "Value" });
oneof!(query_param_match::Value { Exact, Regex });
message!(http_route::RequestHeaderModifier { add, set, remove });
message!(http_route::ResponseHeaderModifier { add, set, remove });
message!(http_route::RequestRedirect { scheme, host, path, port, status });
message!(http_route::PathModifier { replace: "Replace" });
oneof!(path_modifier::Replace { Full, Prefix });
message!(http_route::HttpFailureInjector { status, message, ratio });
message!(http_route::Ratio { numerator, denominator });
message!(http_route::Timeouts { response, request, idle });

message!(grpc_route::GrpcRouteMatch { rpc, headers });
message!(grpc_route::GrpcRpcMatch { service, method });
message!(grpc_route::GrpcFailureInjector { code, message, ratio });

message!(tls_route::SniMatch { r#match: "Match" });
oneof!(sni_match::Match { Exact, Suffix });
message!(sni_match::Suffix { reverse_labels });

message!(opaque_route::Invalid { message });
message!(opaque_route::Forbidden {});
