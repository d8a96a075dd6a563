//! Inbound policy: what a proxy does with connections to one port of its workload.

use super::{
    authorization::{Authentication, Authorization, AuthorizationSource, of_access_policy},
    route::{GrpcMatch, HttpMatch, Method, PathMatch, RouteSource},
};
use ipnet::IpNet;
use linkerd_k8s::policy::{AccessPolicy, ProxyProtocol};
use std::{collections::BTreeSet, time::Duration};

/// Longest time that a proxy waits for enough bytes to know the protocol.
pub const DETECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Policy of one port of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InboundServer {
    /// What the policy comes from.
    pub source: ServerSource,
    /// Protocol, with the routes that it has.
    pub protocol: Protocol,
    /// Who may connect, in order.
    pub authorizations: Vec<Authorization>,
}

/// What the policy of a port comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerSource {
    /// No Server selects the port.
    Default(AccessPolicy),
    /// The Server of this name.
    Server(String),
}

/// Protocol of a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// To be detected, within this time.
    Detect {
        /// Longest time that detection takes.
        timeout: Duration,
        /// Routes if it is HTTP.
        routes: Vec<Route<HttpMatch>>,
    },
    /// HTTP/1.
    Http1(Vec<Route<HttpMatch>>),
    /// HTTP/2.
    Http2(Vec<Route<HttpMatch>>),
    /// gRPC.
    Grpc(Vec<Route<GrpcMatch>>),
    /// Bytes.
    Opaque,
    /// TLS that the application terminates.
    Tls,
}

/// Requests that are authorized and counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route<M> {
    /// What the route comes from.
    pub source: RouteSource,
    /// Who may send such requests, besides those that may connect to the port.
    pub authorizations: Vec<Authorization>,
    /// Alternatives; the most specific match of all decides.
    pub rules: Vec<Rule<M>>,
}

/// Requests that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule<M> {
    /// Alternatives, any of which suffices.
    pub matches: Vec<M>,
}

/// Probes of the kubelet on one port.
#[derive(Clone, Copy, Debug)]
pub struct Probes<'a> {
    /// Paths that are probed, if any.
    pub paths: Option<&'a BTreeSet<String>>,
    /// Networks that probes come from; without any, probes get no route of their own.
    pub networks: &'a [IpNet],
}

/// The policy of a port that no Server selects.
pub fn default_server(
    policy: AccessPolicy,
    is_opaque: bool,
    cluster_networks: &[IpNet],
    probes: Probes<'_>,
) -> InboundServer {
    let protocol = if is_opaque { ProxyProtocol::Opaque } else { ProxyProtocol::Unknown };
    InboundServer {
        source: ServerSource::Default(policy),
        protocol: protocol_without_routes(protocol, probes),
        authorizations: of_access_policy(policy, cluster_networks).into_iter().collect(),
    }
}

/// The protocol of a port to which no route object is attached.
pub fn protocol_without_routes(protocol: ProxyProtocol, probes: Probes<'_>) -> Protocol {
    match protocol {
        ProxyProtocol::Unknown => Protocol::Detect { timeout: DETECT_TIMEOUT, routes: default_http_routes(probes) },
        ProxyProtocol::Http1 => Protocol::Http1(default_http_routes(probes)),
        ProxyProtocol::Http2 => Protocol::Http2(default_http_routes(probes)),
        ProxyProtocol::Grpc => Protocol::Grpc(vec![default_route(GrpcMatch::default())]),
        ProxyProtocol::Opaque => Protocol::Opaque,
        ProxyProtocol::Tls => Protocol::Tls,
    }
}

fn default_route<M>(matches: M) -> Route<M> {
    Route {
        source: RouteSource::Default("default"),
        authorizations: Vec::new(),
        rules: vec![Rule { matches: vec![matches] }],
    }
}

fn default_http_routes(probes: Probes<'_>) -> Vec<Route<HttpMatch>> {
    let mut routes = vec![default_route(HttpMatch::under("/"))];
    routes.extend(probe_route(probes));
    routes
}

/// Lets probes in, whatever else is authorized.
fn probe_route(probes: Probes<'_>) -> Option<Route<HttpMatch>> {
    let paths = probes.paths.filter(|paths| !paths.is_empty() && !probes.networks.is_empty())?;
    let matches =
        paths.iter().map(|path| HttpMatch { path: Some(PathMatch::Exact(path.clone())), method: Some(Method::Get) });
    let authorization = Authorization {
        source: AuthorizationSource::Probe,
        networks: probes.networks.iter().copied().map(Into::into).collect(),
        authentication: Authentication::Unauthenticated,
    };
    Some(Route {
        source: RouteSource::Default("probe"),
        authorizations: vec![authorization],
        rules: vec![Rule { matches: matches.collect() }],
    })
}
