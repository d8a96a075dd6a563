//! Inbound policies as protobuf.

use super::message::{Authz, Detect, Grpc, GrpcRoute, Http, HttpRoute, Kind, Labels, ProxyProtocol, Server};
use crate::{
    core::{
        authorization::{Authentication, Authorization, AuthorizationSource},
        identity::IdentityMatch,
        inbound::{InboundServer, Protocol, Route, ServerSource},
        route::{GrpcMatch, HttpMatch},
    },
    grpc::encode::{default_metadata, duration, http_match, route_metadata},
};
use linkerd_k8s::policy::{GROUP, Network};
use linkerd_proto::{
    grpc_route::{GrpcRouteMatch, GrpcRpcMatch},
    inbound::{
        self, Authn, Identity, IdentitySuffix,
        authn::{Permit, PermitMeshTls, PermitUnauthenticated, permit_mesh_tls},
    },
    meta::{Metadata, Resource, metadata},
};

pub(super) fn server(server: &InboundServer) -> Server {
    let kind = match &server.protocol {
        Protocol::Detect { timeout, routes } => Kind::Detect(Detect {
            timeout: Some(duration(*timeout)),
            http_routes: routes.iter().map(http_route).collect(),
        }),
        Protocol::Http1(routes) => Kind::Http1(Http { routes: routes.iter().map(http_route).collect() }),
        Protocol::Http2(routes) => Kind::Http2(Http { routes: routes.iter().map(http_route).collect() }),
        Protocol::Grpc(routes) => Kind::Grpc(Grpc { routes: routes.iter().map(grpc_route).collect() }),
        Protocol::Opaque => Kind::Opaque(inbound::proxy_protocol::Opaque {}),
        Protocol::Tls => Kind::Tls(inbound::proxy_protocol::Tls {}),
    };
    Server {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        authorizations: server.authorizations.iter().map(authorization).collect(),
        labels: match &server.source {
            ServerSource::Default(policy) => labels("", "default", policy.as_str()),
            ServerSource::Server(name) => labels(GROUP, "server", name),
        },
    }
}

fn labels(group: &str, kind: &str, name: &str) -> Labels {
    [("group", group), ("kind", kind), ("name", name)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn http_route(route: &Route<HttpMatch>) -> HttpRoute {
    let rule = |matches: &Vec<HttpMatch>| inbound::http_route::Rule {
        matches: matches.iter().map(http_match).collect(),
        filters: Vec::new(),
    };
    HttpRoute {
        metadata: Some(route_metadata(&route.source)),
        authorizations: route.authorizations.iter().map(authorization).collect(),
        rules: route.rules.iter().map(|each| rule(&each.matches)).collect(),
    }
}

fn grpc_route(route: &Route<GrpcMatch>) -> GrpcRoute {
    // Proxies refuse the whole policy when `rpc` is absent.
    let grpc_match = |GrpcMatch { service, method }: &GrpcMatch| GrpcRouteMatch {
        rpc: Some(GrpcRpcMatch { service: service.clone(), method: method.clone() }),
        headers: Vec::new(),
    };
    let rule = |matches: &Vec<GrpcMatch>| inbound::grpc_route::Rule {
        matches: matches.iter().map(grpc_match).collect(),
        filters: Vec::new(),
    };
    GrpcRoute {
        metadata: Some(route_metadata(&route.source)),
        authorizations: route.authorizations.iter().map(authorization).collect(),
        rules: route.rules.iter().map(|each| rule(&each.matches)).collect(),
    }
}

fn authorization(authorization: &Authorization) -> Authz {
    let (labels, metadata) = match &authorization.source {
        AuthorizationSource::AuthorizationPolicy(name) => object("authorizationpolicy", name),
        AuthorizationSource::ServerAuthorization(name) => object("serverauthorization", name),
        AuthorizationSource::AccessPolicy(policy) => default(policy.as_str()),
        AuthorizationSource::Probe => default("probe"),
    };
    Authz {
        networks: authorization.networks.iter().map(network).collect(),
        authentication: Some(authentication(&authorization.authentication)),
        labels,
        metadata: Some(metadata),
    }
}

fn object(kind: &str, name: &str) -> (Labels, Metadata) {
    let resource =
        Resource { group: GROUP.to_owned(), kind: kind.to_owned(), name: name.to_owned(), ..Resource::default() };
    (labels(GROUP, kind, name), Metadata { kind: Some(metadata::Kind::Resource(resource)) })
}

fn default(name: &str) -> (Labels, Metadata) {
    (labels("", "default", name), default_metadata(name))
}

fn network(network: &Network) -> inbound::Network {
    inbound::Network {
        net: Some(network.cidr.into()),
        except: network.except.iter().copied().map(Into::into).collect(),
    }
}

fn authentication(authentication: &Authentication) -> Authn {
    let tls = |clients| Permit::MeshTls(PermitMeshTls { clients: Some(clients) });
    let permit = match authentication {
        Authentication::Unauthenticated => Permit::Unauthenticated(PermitUnauthenticated {}),
        Authentication::TlsUnauthenticated => tls(permit_mesh_tls::Clients::Unauthenticated(PermitUnauthenticated {})),
        Authentication::TlsAuthenticated(matches) => {
            let mut clients = permit_mesh_tls::PermitClientIdentities::default();
            for identity in matches {
                match identity {
                    IdentityMatch::Exact(name) => clients.identities.push(Identity { name: name.clone() }),
                    IdentityMatch::Suffix(parts) => clients.suffixes.push(IdentitySuffix { parts: parts.clone() }),
                }
            }
            tls(permit_mesh_tls::Clients::Identities(clients))
        }
    };
    Authn { permit: Some(permit) }
}
