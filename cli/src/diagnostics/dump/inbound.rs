//! Policy of an inbound port.

use super::{message, oneof};
use linkerd_proto::inbound::{
    Authn, Authz, GrpcRoute, HttpLocalRateLimit, HttpRoute, Identity, IdentitySuffix, Network, ProxyProtocol, Server,
    authn::{self, permit_mesh_tls},
    grpc_route, http_local_rate_limit as rate_limit, http_route,
    proxy_protocol::{self, Detect, Grpc, Http1, Http2, Opaque, Tls},
};

message!(Server { protocol, server_ips, authorizations, labels });

message!(ProxyProtocol { kind: "Kind" });
oneof!(proxy_protocol::Kind { Detect, Opaque, Tls, Http1, Http2, Grpc });
message!(Detect { timeout, http_routes, http_local_rate_limit });
message!(Http1 { routes, local_rate_limit });
message!(Http2 { routes, local_rate_limit });
message!(Grpc { routes });
message!(Opaque {});
message!(Tls {});

message!(Authz { networks, authentication, labels, metadata });
message!(Network { net, except });
message!(Authn { permit: "Permit" });
oneof!(authn::Permit { Unauthenticated, MeshTls: "MeshTLS" });
message!(authn::PermitUnauthenticated {});
message!(authn::PermitMeshTls { clients: "Clients" });
oneof!(permit_mesh_tls::Clients { Unauthenticated, Identities });
message!(permit_mesh_tls::PermitClientIdentities { identities, suffixes });
message!(Identity { name });
message!(IdentitySuffix { parts });

message!(HttpRoute { metadata, hosts, authorizations, rules });
message!(http_route::Rule { matches, filters });
message!(http_route::Filter { kind: "Kind" });
oneof!(http_route::filter::Kind { FailureInjector, RequestHeaderModifier, Redirect });

message!(GrpcRoute { metadata, hosts, authorizations, rules });
message!(grpc_route::Rule { matches, filters });
message!(grpc_route::Filter { kind: "Kind" });
oneof!(grpc_route::filter::Kind { FailureInjector, RequestHeaderModifier });

message!(HttpLocalRateLimit { metadata, total, identity, overrides });
message!(rate_limit::Override { limit, clients });
message!(rate_limit::r#override::ClientIdentities { identities });
message!(rate_limit::Limit { requests_per_second: "requestsPerSecond" });
