//! Inbound policies.

use super::{Faults, named, route};
use ipnet::IpNet;
use linkerd_proto::inbound::{
    Authz, GrpcRoute, HttpRoute, Server, authn::Permit, grpc_route, http_route, proxy_protocol::Kind,
};

pub(super) fn server(server: &Server, faults: &mut Faults) {
    faults.unless(server.labels.contains_key("name"), "labels have no name");
    server.authorizations.iter().for_each(|authz| authorization(authz, faults));
    let Some(protocol) = faults.some(&server.protocol, "protocol") else { return };
    match faults.some(&protocol.kind, "protocol.kind") {
        Some(Kind::Detect(detect)) => {
            faults.some(&detect.timeout, "timeout of detection");
            http_routes(&detect.http_routes, faults);
        }
        Some(Kind::Http1(http)) => http_routes(&http.routes, faults),
        Some(Kind::Http2(http)) => http_routes(&http.routes, faults),
        Some(Kind::Grpc(grpc)) => grpc_routes(&grpc.routes, faults),
        Some(Kind::Opaque(_) | Kind::Tls(_)) | None => {}
    }
}

fn authorization(authz: &Authz, faults: &mut Faults) {
    named(&authz.metadata, false, faults);
    faults.unless(!authz.labels.is_empty(), "authorization without labels");
    faults.unless(!authz.networks.is_empty(), "authorization without networks");
    for network in &authz.networks {
        let net = faults.some(&network.net, "network");
        for each in net.into_iter().chain(&network.except) {
            faults.unless(IpNet::try_from(*each).is_ok(), "invalid network");
        }
    }
    let authentication = faults.some(&authz.authentication, "authentication");
    if let Some(Permit::MeshTls(tls)) = authentication.and_then(|authn| faults.some(&authn.permit, "permit")) {
        faults.some(&tls.clients, "clients of mesh TLS");
    }
}

fn http_routes(routes: &[HttpRoute], faults: &mut Faults) {
    faults.unless(!routes.is_empty(), "no route, so that the proxy makes up its own");
    for route in routes {
        named(&route.metadata, false, faults);
        route::hosts(&route.hosts, faults);
        route.authorizations.iter().for_each(|authz| authorization(authz, faults));
        for rule in &route.rules {
            rule.matches.iter().for_each(|matches| route::http_match(matches, faults));
            for filter in &rule.filters {
                match faults.some(&filter.kind, "kind of filter") {
                    Some(http_route::filter::Kind::RequestHeaderModifier(modifier)) => {
                        route::header_modifier(&modifier.add, &modifier.set, &modifier.remove, faults);
                    }
                    Some(http_route::filter::Kind::Redirect(redirect)) => route::redirect(redirect, faults),
                    Some(http_route::filter::Kind::FailureInjector(_)) | None => {}
                }
            }
        }
    }
}

fn grpc_routes(routes: &[GrpcRoute], faults: &mut Faults) {
    faults.unless(!routes.is_empty(), "no route, so that the proxy makes up its own");
    for route in routes {
        named(&route.metadata, false, faults);
        route::hosts(&route.hosts, faults);
        route.authorizations.iter().for_each(|authz| authorization(authz, faults));
        for rule in &route.rules {
            for matches in &rule.matches {
                faults.some(&matches.rpc, "rpc of match");
            }
            for filter in &rule.filters {
                if let Some(grpc_route::filter::Kind::RequestHeaderModifier(modifier)) =
                    faults.some(&filter.kind, "kind of filter")
                {
                    route::header_modifier(&modifier.add, &modifier.set, &modifier.remove, faults);
                }
            }
        }
    }
}
