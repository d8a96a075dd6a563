//! Which parts of an answer a proxy uses, and which it would fail on.

use std::collections::BTreeSet;

use linkerd_proto::destination::{DestinationProfile, WeightedAddr};
use linkerd_proto::meta::{Metadata, Resource, metadata};
use linkerd_proto::outbound::backend::{self, endpoint_discovery};
use linkerd_proto::outbound::proxy_protocol::Kind;
use linkerd_proto::outbound::{Backend, OutboundPolicy};
use linkerd_proto::{inbound, outbound};

/// Where a policy sends.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// Paths of load-balanced backends.
    pub balanced: BTreeSet<String>,
    /// Endpoints without load balancing.
    pub forward: Vec<WeightedAddr>,
}

/// The backends of a policy.
pub fn policy_backends(policy: &OutboundPolicy) -> Backends {
    let mut backends = Backends::default();
    for backend in read(policy).backends {
        match &backend.kind {
            Some(backend::Kind::Balancer(balancer)) => {
                let discovery = balancer.discovery.as_ref().and_then(|discovery| discovery.kind.as_ref());
                if let Some(endpoint_discovery::Kind::Dst(get)) = discovery {
                    backends.balanced.insert(get.path.clone());
                }
            }
            Some(backend::Kind::Forward(endpoint)) => backends.forward.push(endpoint.clone()),
            None => {}
        }
    }
    backends
}

/// The backends of a profile, if requests are routed by it and not by the policy: it has a name, and
/// routes or overrides.
pub fn profile_backends(profile: &DestinationProfile, port: u16) -> Option<Vec<String>> {
    let name = &profile.fully_qualified_name;
    let routes = !profile.routes.is_empty() || !profile.dst_overrides.is_empty();
    if name.is_empty() || !routes || profile.endpoint.is_some() {
        return None;
    }
    let overrides: Vec<_> = profile.dst_overrides.iter().map(|to| to.authority.clone()).collect();
    Some(if overrides.is_empty() { vec![format!("{name}:{port}")] } else { overrides })
}

/// What a proxy would answer with errors for, in an outbound policy.
pub fn policy_problems(policy: &OutboundPolicy) -> Vec<String> {
    let Read { backends, metadata, is_empty } = read(policy);
    let mut problems = Vec::new();
    if is_empty {
        problems.push("an outbound policy without protocol".to_owned());
    }
    for backend in &backends {
        if backend.queue.is_none() {
            problems.push(format!("a backend without queue: {:?}", backend.metadata));
        }
        if backend.kind.is_none() {
            problems.push(format!("a backend that leads nowhere: {:?}", backend.metadata));
        }
    }
    problems.extend(metadata_problems("an outbound policy", metadata));
    problems
}

/// What a proxy would answer with errors for, in an inbound policy.
pub fn server_problems(port: u16, server: &inbound::Server) -> Vec<String> {
    use inbound::proxy_protocol::Kind;
    let mut problems = Vec::new();
    let kind = server.protocol.as_ref().and_then(|protocol| protocol.kind.as_ref());
    if kind.is_none() {
        problems.push(format!("a policy of port {port} without protocol"));
    }
    let (http, grpc): (&[_], &[_]) = match kind {
        Some(Kind::Detect(detect)) => (&detect.http_routes, &[]),
        Some(Kind::Http1(http)) => (&http.routes, &[]),
        Some(Kind::Http2(http)) => (&http.routes, &[]),
        Some(Kind::Grpc(grpc)) => (&[], &grpc.routes),
        Some(Kind::Opaque(_) | Kind::Tls(_)) | None => (&[], &[]),
    };
    let routes = http.iter().map(|route| &route.authorizations).chain(grpc.iter().map(|route| &route.authorizations));
    for authorization in std::iter::once(&server.authorizations).chain(routes).flatten() {
        if authorization.networks.is_empty() || authorization.authentication.is_none() {
            problems.push(format!("an authorization of port {port} without network or authentication"));
        }
        problems.extend(metadata_problems("an authorization", [&authorization.metadata]));
    }
    let metadata = http.iter().map(|route| &route.metadata).chain(grpc.iter().map(|route| &route.metadata));
    problems.extend(metadata_problems("an inbound route", metadata));
    problems
}

/// What a proxy could not use of a profile.
pub fn profile_problems(profile: &DestinationProfile) -> Vec<String> {
    let mut problems = Vec::new();
    if profile.fully_qualified_name.contains(':') {
        problems.push(format!("a profile whose name has a port: {}", profile.fully_qualified_name));
    }
    let addressed = profile.endpoint.as_ref().is_none_or(|endpoint| endpoint.addr.is_some());
    if !addressed {
        problems.push("a profile whose endpoint has no address".to_owned());
    }
    problems
}

fn metadata_problems<'a>(what: &str, all: impl IntoIterator<Item = &'a Option<Metadata>>) -> Vec<String> {
    let problem = |metadata: &Option<Metadata>| match metadata.as_ref()?.kind.as_ref() {
        None => Some(format!("{what} with metadata of no kind")),
        Some(metadata::Kind::Resource(Resource { group, kind, name, .. })) if group.is_empty() => {
            Some(format!("{what} with metadata without group: {kind} {name}"))
        }
        Some(_) => None,
    };
    all.into_iter().filter_map(problem).collect()
}

/// A policy, taken apart.
struct Read<'a> {
    backends: Vec<&'a Backend>,
    metadata: Vec<&'a Option<Metadata>>,
    is_empty: bool,
}

/// Reads routes of one of the kinds, whose types are alike but not the same.
macro_rules! read_routes {
    ($read:ident, $kind:ident, $routes:expr) => {
        for route in $routes {
            $read.metadata.push(&route.metadata);
            let distributions = route.rules.iter().filter_map(|rule| rule.backends.as_ref()?.kind.as_ref());
            for distribution in distributions {
                use outbound::$kind::distribution::Kind;
                let backends: Vec<_> = match distribution {
                    Kind::Empty(_) => Vec::new(),
                    Kind::FirstAvailable(first) => first.backends.iter().collect(),
                    Kind::RandomAvailable(random) => {
                        random.backends.iter().filter_map(|weighted| weighted.backend.as_ref()).collect()
                    }
                };
                $read.backends.extend(backends.into_iter().filter_map(|route| route.backend.as_ref()));
            }
        }
    };
}

fn read(policy: &OutboundPolicy) -> Read<'_> {
    let kind = policy.protocol.as_ref().and_then(|protocol| protocol.kind.as_ref());
    let mut read = Read { backends: Vec::new(), metadata: vec![&policy.metadata], is_empty: kind.is_none() };
    match kind {
        Some(Kind::Detect(detect)) => {
            read_routes!(read, opaque_route, detect.opaque.iter().flat_map(|opaque| &opaque.routes));
            read_routes!(read, http_route, detect.http1.iter().flat_map(|http| &http.routes));
            read_routes!(read, http_route, detect.http2.iter().flat_map(|http| &http.routes));
        }
        Some(Kind::Opaque(opaque)) => read_routes!(read, opaque_route, &opaque.routes),
        Some(Kind::Http1(http)) => read_routes!(read, http_route, &http.routes),
        Some(Kind::Http2(http)) => read_routes!(read, http_route, &http.routes),
        Some(Kind::Grpc(grpc)) => read_routes!(read, grpc_route, &grpc.routes),
        Some(Kind::Tls(tls)) => read_routes!(read, tls_route, &tls.routes),
        None => {}
    }
    let backends: Vec<_> = read.backends.iter().map(|backend| &backend.metadata).collect();
    read.metadata.extend(backends);
    read
}
