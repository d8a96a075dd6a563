//! Messages, field by field.

use crate::core::workload::WorkloadKind;
use crate::{
    core::outbound::OutboundPolicy,
    grpc::{self, validate, validated_inbound, validated_outbound},
    index::{inbound::InboundIndex, outbound::OutboundIndex},
    testing::{
        address, authority, authorization_policy, config, mesh_tls, networks, pod, server, server_authorization,
        service, workload,
    },
};
use linkerd_controller::source::Sink;
use linkerd_proto::{
    Duration,
    http_route::{HttpRouteMatch, PathMatch, path_match},
    http_types::{HttpMethod, http_method},
    inbound::{self, authn, proxy_protocol},
    meta::{Metadata, Resource, metadata},
    outbound::{self, backend, failure_accrual, http_route, opaque_route},
};
use serde_json::json;
use std::sync::Arc;

fn default_metadata(name: &str) -> Option<Metadata> {
    Some(Metadata { kind: Some(metadata::Kind::Default(name.to_owned())) })
}

fn resource(group: &str, kind: &str, name: &str) -> Resource {
    Resource { group: group.to_owned(), kind: kind.to_owned(), name: name.to_owned(), ..Resource::default() }
}

fn labels(labels: &std::collections::HashMap<String, String>) -> [&str; 3] {
    assert_eq!(labels.len(), 3);
    ["group", "kind", "name"].map(|key| labels[key].as_str())
}

fn path(kind: path_match::Kind) -> HttpRouteMatch {
    HttpRouteMatch { path: Some(PathMatch { kind: Some(kind) }), ..HttpRouteMatch::default() }
}

fn inbound_index() -> InboundIndex {
    InboundIndex::new(Arc::new(config()))
}

fn inbound_policy(index: &InboundIndex, port: u16) -> inbound::Server {
    validated_inbound(&index.policy(&workload("n", WorkloadKind::Pod, "web"), port).unwrap())
}

fn unauthenticated() -> Option<inbound::Authn> {
    Some(inbound::Authn { permit: Some(authn::Permit::Unauthenticated(authn::PermitUnauthenticated {})) })
}

/// Cases 3 and 25.
#[test]
fn the_default_policy_of_a_port_with_a_probe() {
    let mut index = inbound_index();
    let probe = json!({"port": "http", "path": "/ready"});
    index.apply(pod("web").container(&[("http", 80)], Some(probe)).done());
    let server = inbound_policy(&index, 80);
    assert_eq!(labels(&server.labels), ["", "default", "all-unauthenticated"]);
    assert_eq!((server.server_ips.len(), server.authorizations.len()), (0, 1));
    let authz = &server.authorizations[0];
    assert_eq!(labels(&authz.labels), ["", "default", "all-unauthenticated"]);
    assert_eq!(
        (&authz.metadata, &authz.authentication),
        (&default_metadata("all-unauthenticated"), &unauthenticated())
    );
    let nets: Vec<_> = authz.networks.iter().map(|network| network.net.unwrap().prefix_len).collect();
    assert_eq!(nets, [0, 0]);
    let Some(proxy_protocol::Kind::Detect(detect)) = server.protocol.unwrap().kind else { panic!() };
    assert_eq!(detect.timeout, Some(Duration { seconds: 10, nanos: 0 }));
    assert_eq!((detect.http_local_rate_limit, detect.http_routes.len()), (None, 2));
    let [default, probe] = &detect.http_routes[..] else { panic!() };
    assert_eq!((&default.metadata, default.authorizations.len()), (&default_metadata("default"), 0));
    assert_eq!(default.rules[0].matches, [path(path_match::Kind::Prefix("/".to_owned()))]);
    assert_eq!(probe.metadata, default_metadata("probe"));
    let get = Some(HttpMethod { r#type: Some(http_method::Type::Registered(http_method::Registered::Get as i32)) });
    let exact = HttpRouteMatch { method: get, ..path(path_match::Kind::Exact("/ready".to_owned())) };
    assert_eq!(probe.rules[0].matches, [exact]);
    assert_eq!(probe.authorizations[0].metadata, default_metadata("probe"));
    assert_eq!(labels(&probe.authorizations[0].labels), ["", "default", "probe"]);
}

/// Cases 14 to 17.
#[test]
fn the_policy_of_a_server_with_authorizations() {
    let mut index = inbound_index();
    index.apply(pod("web").done());
    index.apply(
        server("s", "web", json!(80)).spec("proxyProtocol", json!("gRPC")).spec("accessPolicy", json!("audit")).done(),
    );
    let client = json!({"meshTLS": {"identities": ["*", "*.foo.bar", "a.b"]},
                        "networks": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]});
    index.apply(server_authorization("saz", json!({"name": "s"}), client).done());
    index.apply(mesh_tls("tls", json!(["a.b"])).done());
    index.apply(networks("net", "fd00::/8").done());
    let references = json!([{"group": "policy.linkerd.io", "kind": "MeshTLSAuthentication", "name": "tls"},
                            {"group": "policy.linkerd.io", "kind": "NetworkAuthentication", "name": "net"}]);
    index.apply(authorization_policy("p", "s", references).done());
    let server = inbound_policy(&index, 80);
    assert_eq!(labels(&server.labels), ["policy.linkerd.io", "server", "s"]);
    let [policy, saz, audit] = &server.authorizations[..] else { panic!() };
    assert_eq!(labels(&policy.labels), ["policy.linkerd.io", "authorizationpolicy", "p"]);
    let expected = metadata::Kind::Resource(resource("policy.linkerd.io", "authorizationpolicy", "p"));
    assert_eq!(policy.metadata.as_ref().unwrap().kind, Some(expected));
    assert_eq!(policy.networks[0].net.unwrap().prefix_len, 8);
    assert_eq!(labels(&saz.labels), ["policy.linkerd.io", "serverauthorization", "saz"]);
    assert_eq!(saz.networks[0].except.len(), 1);
    let Some(authn::Permit::MeshTls(tls)) = saz.authentication.as_ref().unwrap().permit.as_ref() else { panic!() };
    let Some(authn::permit_mesh_tls::Clients::Identities(clients)) = &tls.clients else { panic!() };
    let names: Vec<_> = clients.identities.iter().map(|identity| identity.name.as_str()).collect();
    let suffixes: Vec<_> = clients.suffixes.iter().map(|suffix| suffix.parts.join(".")).collect();
    assert_eq!((names, suffixes), (vec!["a.b"], vec![String::new(), "foo.bar".to_owned()]));
    assert_eq!((&audit.metadata, &audit.authentication), (&default_metadata("audit"), &unauthenticated()));
    let Some(proxy_protocol::Kind::Grpc(grpc)) = server.protocol.unwrap().kind else { panic!() };
    let rpc = grpc.routes[0].rules[0].matches[0].rpc.as_ref().unwrap();
    assert_eq!((rpc.service.as_str(), rpc.method.as_str()), ("", ""));
}

/// Equal states give equal bytes, though the protocol's labels are a map.
#[test]
fn equal_policies_are_equal_bytes() {
    let mut index = inbound_index();
    index.apply(pod("web").done());
    let policy = index.policy(&workload("n", WorkloadKind::Pod, "web"), 80).unwrap();
    let bytes = grpc::inbound::encode(&policy);
    for _ in 0..50 {
        assert_eq!(grpc::inbound::encode(&policy), bytes);
    }
    // And they are what the published bindings would send, but for the order of labels.
    use prost::Message;
    let decoded = validate::inbound(&bytes);
    assert_eq!(decoded.encoded_len(), bytes.len());
}

fn outbound_policy(index: &OutboundIndex, key: &crate::index::outbound::TargetKey) -> outbound::OutboundPolicy {
    let policy: OutboundPolicy = index.policy(key).unwrap();
    validated_outbound(&policy)
}

fn service_metadata(port: u32) -> Option<Metadata> {
    let resource = Resource { namespace: "n".to_owned(), port, ..resource("core", "Service", "web") };
    Some(Metadata { kind: Some(metadata::Kind::Resource(resource)) })
}

fn check_queue(backend: &outbound::Backend) {
    let three_seconds = Some(Duration { seconds: 3, nanos: 0 });
    assert_eq!(backend.queue, Some(outbound::Queue { capacity: 100, failfast_timeout: three_seconds }));
}

/// Cases 34, 51 and 57.
#[test]
fn the_policy_of_a_service() {
    let mut index = OutboundIndex::new(Arc::new(config()));
    let annotated = service("web", "10.0.0.1", 80)
        .annotation("retry.linkerd.io/http", "5xx")
        .annotation("timeout.linkerd.io/request", "10s")
        .annotation("balancer.linkerd.io/failure-accrual", "consecutive");
    index.apply(annotated.done());
    let policy = outbound_policy(&index, &address("n", "10.0.0.1:80"));
    assert_eq!(policy.metadata, service_metadata(80));
    let Some(outbound::proxy_protocol::Kind::Detect(detect)) = policy.protocol.unwrap().kind else { panic!() };
    assert_eq!(detect.timeout, Some(Duration { seconds: 10, nanos: 0 }));
    let (http1, http2) = (detect.http1.unwrap(), detect.http2.unwrap());
    assert_eq!((&http1.routes, &http1.failure_accrual), (&http2.routes, &http2.failure_accrual));
    let route = &http1.routes[0];
    assert_eq!((&route.metadata, route.hosts.len(), route.rules.len()), (&default_metadata("http"), 0, 1));
    check_http_rule(&route.rules[0]);
    let Some(failure_accrual::Kind::ConsecutiveFailures(consecutive)) = http1.failure_accrual.unwrap().kind else {
        panic!()
    };
    let backoff = consecutive.backoff.unwrap();
    assert_eq!((consecutive.max_failures, backoff.jitter_ratio), (7, 0.5));
    assert_eq!(backoff.max_backoff, Some(Duration { seconds: 60, nanos: 0 }));
    let opaque = &detect.opaque.unwrap().routes[0];
    assert_eq!(opaque.metadata, default_metadata("opaq"));
    let distribution = opaque.rules[0].backends.as_ref().unwrap();
    assert!(matches!(distribution.kind, Some(opaque_route::distribution::Kind::FirstAvailable(_))));
}

#[allow(deprecated)]
fn check_http_rule(rule: &http_route::Rule) {
    let ten_seconds = Some(Duration { seconds: 10, nanos: 0 });
    assert_eq!(rule.matches, [path(path_match::Kind::Prefix("/".to_owned()))]);
    let timeouts = rule.timeouts.unwrap();
    assert_eq!((timeouts.request, timeouts.response, rule.request_timeout), (ten_seconds, None, ten_seconds));
    let retry = rule.retry.as_ref().unwrap();
    assert_eq!((retry.max_retries, retry.max_request_bytes, retry.timeout), (1, 65536, None));
    let range = retry.conditions.as_ref().unwrap().status_ranges[0];
    assert_eq!((range.start, range.end), (500, 599));
    let backoff = retry.backoff.unwrap();
    assert_eq!(backoff.min_backoff, Some(Duration { seconds: 0, nanos: 25_000_000 }));
    assert_eq!((backoff.max_backoff, backoff.jitter_ratio), (Some(Duration { seconds: 0, nanos: 250_000_000 }), 1.0));
    let Some(http_route::distribution::Kind::FirstAvailable(first)) = rule.backends.as_ref().unwrap().kind.as_ref()
    else {
        panic!()
    };
    let backend = first.backends[0].backend.as_ref().unwrap();
    check_queue(backend);
    assert_eq!(backend.metadata, service_metadata(80));
    let Some(backend::Kind::Balancer(balancer)) = &backend.kind else { panic!() };
    let Some(backend::endpoint_discovery::Kind::Dst(get)) = &balancer.discovery.as_ref().unwrap().kind else {
        panic!()
    };
    assert_eq!(get.path, "web.n.svc.cluster.local:80");
    let Some(backend::balance_p2c::Load::PeakEwma(load)) = &balancer.load else { panic!() };
    assert_eq!(load.default_rtt, Some(Duration { seconds: 0, nanos: 30_000_000 }));
    assert_eq!(load.decay, Some(Duration { seconds: 10, nanos: 0 }));
}

/// Case 31.
#[test]
fn the_policy_of_an_address_outside_the_cluster() {
    let index = OutboundIndex::new(Arc::new(config()));
    let policy = outbound_policy(&index, &address("n", "1.1.1.1:443"));
    assert_eq!(policy.metadata, default_metadata("egress-fallback"));
    let Some(outbound::proxy_protocol::Kind::Detect(detect)) = policy.protocol.unwrap().kind else { panic!() };
    let rule = &detect.http1.unwrap().routes[0].rules[0];
    assert_eq!((rule.matches.as_slice(), rule.timeouts), (&[HttpRouteMatch::default()][..], None));
    let distribution = detect.opaque.unwrap().routes[0].rules[0].backends.clone().unwrap();
    let Some(opaque_route::distribution::Kind::FirstAvailable(first)) = distribution.kind else { panic!() };
    let backend = first.backends[0].backend.as_ref().unwrap();
    check_queue(backend);
    assert_eq!(backend.metadata, default_metadata("egress-fallback"));
    let Some(backend::Kind::Forward(forward)) = &backend.kind else { panic!() };
    let address = std::net::SocketAddr::try_from(forward.addr.unwrap()).unwrap();
    assert_eq!((address.to_string().as_str(), forward.weight), ("1.1.1.1:443", 1));
}

/// Case 32.
#[test]
fn the_policy_of_an_undefined_port() {
    let mut index = OutboundIndex::new(Arc::new(config()));
    index.apply(service("web", "10.0.0.1", 80).done());
    let policy = outbound_policy(&index, &address("n", "10.0.0.1:81"));
    assert_eq!(policy.metadata, service_metadata(81));
    let Some(outbound::proxy_protocol::Kind::Opaque(opaque)) = policy.protocol.unwrap().kind else { panic!() };
    assert_eq!(opaque.routes[0].metadata, default_metadata("undefined-port"));
    let rule = &opaque.routes[0].rules[0];
    assert!(matches!(rule.filters[0].kind, Some(opaque_route::filter::Kind::Forbidden(_))));
    let kind = rule.backends.as_ref().unwrap().kind.as_ref();
    assert!(matches!(kind, Some(opaque_route::distribution::Kind::Empty(_))));
}

/// Cases 58 to 60.
#[test]
fn a_service_with_every_setting_is_accepted_by_proxies() {
    let mut index = OutboundIndex::new(Arc::new(config()));
    let annotated = service("web", "10.0.0.1", 80)
        .annotation("balancer.linkerd.io/failure-accrual", "unified")
        .annotation("balancer.linkerd.io/failure-accrual-consecutive-min-penalty", "0s")
        .annotation("balancer.alpha.linkerd.io/failure-accrual-honor-retry-after", "true")
        .annotation("balancer.alpha.linkerd.io/penalize-failures", "true")
        .annotation("timeout.linkerd.io/idle", "99999999999d");
    index.apply(annotated.done());
    let policy = outbound_policy(&index, &authority("m", "web", 80));
    let Some(outbound::proxy_protocol::Kind::Detect(detect)) = policy.protocol.unwrap().kind else { panic!() };
    let http = detect.http2.unwrap();
    let Some(failure_accrual::Kind::Unified(unified)) = http.failure_accrual.unwrap().kind else { panic!() };
    assert_eq!((unified.success_rate_threshold, unified.min_requests, unified.max_consecutive_failures), (0.8, 5, 7));
    assert!(unified.backoff.unwrap().respect_retry_after_hint);
    assert_eq!(http.routes[0].rules[0].timeouts.unwrap().idle.unwrap().seconds, 315_576_000_000);
}
