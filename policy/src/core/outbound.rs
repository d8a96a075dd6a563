//! Outbound policy: how a proxy sends requests to one target.

use super::{
    accrual::FailureAccrual,
    retry::HttpRetry,
    route::{HttpMatch, RouteSource},
    settings::{Load, Settings},
};
use linkerd_k8s::ObjectId;
use std::{fmt, net::SocketAddr, time::Duration};

/// Longest time that a proxy waits for enough bytes to know the protocol.
pub const DETECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Policy of one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboundPolicy {
    /// What the policy is of.
    pub parent: Parent,
    /// Protocol, with its routes.
    pub protocol: Protocol,
}

/// What a policy is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// A port of a Service.
    Service(ServicePort),
    /// Nothing that the cluster knows, by the name of the case.
    Default(&'static str),
}

/// A port of a Service, whether or not either exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePort {
    /// The Service.
    pub service: ObjectId,
    /// The port.
    pub port: u16,
}

impl ServicePort {
    /// The name under which proxies look for endpoints.
    pub fn authority(&self, cluster_domain: &str) -> String {
        let ObjectId { namespace, name } = &self.service;
        format!("{name}.{namespace}.svc.{cluster_domain}:{}", self.port)
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

/// Protocol of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// To be detected, within this time.
    Detect {
        /// Longest time that detection takes.
        timeout: Duration,
        /// What is done with HTTP, of either version.
        http: HttpRoutes,
        /// What is done with any other protocol.
        opaque: OpaqueRoute,
    },
    /// HTTP/1.
    Http1(HttpRoutes),
    /// HTTP/2.
    Http2(HttpRoutes),
    /// Bytes.
    Opaque(OpaqueRoute),
}

/// What is known of a port's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortProtocol {
    /// Nothing: it is detected.
    Detect,
    /// It is HTTP/1.
    Http1,
    /// It is HTTP/2.
    Http2,
    /// It is none that proxies know.
    Opaque,
}

impl PortProtocol {
    /// The protocol that the `appProtocol` of a Service's port names.
    pub fn of_app_protocol(text: &str) -> Self {
        if text.eq_ignore_ascii_case("http") {
            Self::Http1
        } else if text.eq_ignore_ascii_case("kubernetes.io/h2c") {
            Self::Http2
        } else {
            Self::Opaque
        }
    }
}

/// Routes of HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpRoutes {
    /// Routes; the most specific match of all decides.
    pub routes: Vec<Route<HttpMatch>>,
    /// Circuit breaker of the endpoints.
    pub accrual: Option<FailureAccrual>,
}

/// Requests that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route<M> {
    /// What the route comes from.
    pub source: RouteSource,
    /// Alternatives.
    pub rules: Vec<Rule<M>>,
}

/// Requests that are sent alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule<M> {
    /// Alternatives, any of which suffices.
    pub matches: Vec<M>,
    /// Where they are sent; the first that takes them. Never empty.
    pub backends: Vec<Backend>,
    /// Timeouts; absent where none can be set.
    pub timeouts: Option<Timeouts>,
    /// Retries.
    pub retry: Option<HttpRetry>,
    /// Whether headers of a request may change its timeouts and retries.
    pub allow_l5d_request_headers: bool,
}

/// The only route of connections whose bytes are forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpaqueRoute {
    /// What the route comes from.
    pub source: RouteSource,
    /// Where connections go; nowhere, when they are forbidden.
    pub backend: Option<Backend>,
}

/// Timeouts of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// From the first byte of the request to the last of the response, retries included.
    pub request: Option<Duration>,
    /// From the last byte of the request to the last of the response.
    pub response: Option<Duration>,
    /// Between two parts of either.
    pub idle: Option<Duration>,
}

/// Where requests are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Endpoints of a Service.
    Service {
        /// The Service's port.
        service: ServicePort,
        /// The name under which proxies look for its endpoints.
        authority: String,
        /// How one of them is chosen.
        load: Load,
    },
    /// The address that the application chose, in the case of this name.
    Forward {
        /// Name of the case.
        name: &'static str,
        /// The address.
        address: SocketAddr,
    },
}

/// What a policy takes from the configuration of the control plane.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// Domain of the cluster.
    pub cluster_domain: &'a str,
    /// Whether headers of a request may change its timeouts and retries.
    pub allow_l5d_request_headers: bool,
}

/// The policy of a port of a Service to which no route object is attached.
pub fn service_policy(
    service: ServicePort,
    protocol: PortProtocol,
    settings: &Settings,
    defaults: Defaults<'_>,
) -> OutboundPolicy {
    let authority = service.authority(defaults.cluster_domain);
    let backend =
        |load: &Load| Backend::Service { service: service.clone(), authority: authority.clone(), load: load.clone() };
    let http = || HttpRoutes {
        routes: vec![Route {
            source: RouteSource::Default("http"),
            rules: vec![Rule {
                matches: vec![HttpMatch::under("/")],
                backends: vec![backend(&settings.load)],
                timeouts: Some(settings.timeouts.clone()),
                retry: settings.http_retry.clone(),
                allow_l5d_request_headers: defaults.allow_l5d_request_headers,
            }],
        }],
        accrual: settings.accrual.clone(),
    };
    // Failures of bytes are not seen, so they cannot be penalized.
    let opaque = || OpaqueRoute { source: RouteSource::Default("opaq"), backend: Some(backend(&Load::PeakEwma)) };
    let protocol = match protocol {
        PortProtocol::Detect => Protocol::Detect { timeout: DETECT_TIMEOUT, http: http(), opaque: opaque() },
        PortProtocol::Http1 => Protocol::Http1(http()),
        PortProtocol::Http2 => Protocol::Http2(http()),
        PortProtocol::Opaque => Protocol::Opaque(opaque()),
    };
    OutboundPolicy { parent: Parent::Service(service), protocol }
}

/// The policy of a Service's cluster address with a port that the Service lacks: no connection.
pub fn undefined_port(service: ServicePort) -> OutboundPolicy {
    let route = OpaqueRoute { source: RouteSource::Default("undefined-port"), backend: None };
    OutboundPolicy { parent: Parent::Service(service), protocol: Protocol::Opaque(route) }
}

/// The policy of an address outside the cluster that nothing else claims: connections go there.
pub fn egress_fallback(address: SocketAddr, defaults: Defaults<'_>) -> OutboundPolicy {
    const NAME: &str = "egress-fallback";
    let backend = Backend::Forward { name: NAME, address };
    let rule = Rule {
        matches: vec![HttpMatch::default()],
        backends: vec![backend.clone()],
        timeouts: None,
        retry: None,
        allow_l5d_request_headers: defaults.allow_l5d_request_headers,
    };
    let source = RouteSource::Default(NAME);
    let protocol = Protocol::Detect {
        timeout: DETECT_TIMEOUT,
        http: HttpRoutes { routes: vec![Route { source: source.clone(), rules: vec![rule] }], accrual: None },
        opaque: OpaqueRoute { source, backend: Some(backend) },
    };
    OutboundPolicy { parent: Parent::Default(NAME), protocol }
}
