use super::*;
use linkerd_proto::{
    Duration,
    destination::{ProtocolHint, RequestMatch, RetryBudget, protocol_hint, request_match},
    http_route::{HeaderMatch, header_match},
    http_types::{HttpMethod, http_method},
    inbound::{self, Authn, Authz, Network, ProxyProtocol, authn, proxy_protocol},
    meta::{Metadata, Resource, metadata},
    net::{IPv6, IpAddress, IpNetwork, TcpAddress, ip_address},
    outbound::{Backend, Queue},
};
use serde_json::json;
use std::collections::HashMap;

fn server() -> inbound::Server {
    let everywhere = IpNetwork { ip: Some(IpAddress { ip: Some(ip_address::Ip::Ipv4(0)) }), prefix_len: 0 };
    let detect = proxy_protocol::Detect {
        timeout: Some(Duration { seconds: 10, nanos: 0 }),
        ..proxy_protocol::Detect::default()
    };
    inbound::Server {
        protocol: Some(ProxyProtocol { kind: Some(proxy_protocol::Kind::Detect(detect)) }),
        server_ips: vec![IpAddress { ip: Some(ip_address::Ip::Ipv4(u32::from_be_bytes([10, 0, 0, 7]))) }],
        authorizations: vec![Authz {
            networks: vec![Network { net: Some(everywhere), except: Vec::new() }],
            authentication: Some(Authn {
                permit: Some(authn::Permit::MeshTls(authn::PermitMeshTls { clients: None })),
            }),
            labels: HashMap::from([("name".to_owned(), "true".to_owned()), ("group".to_owned(), String::new())]),
            metadata: Some(Metadata { kind: Some(metadata::Kind::Default("all-authenticated".to_owned())) }),
        }],
        labels: HashMap::new(),
    }
}

#[test]
fn yaml_is_sorted_and_leaves_zero_values_out() {
    insta::assert_snapshot!(yaml(&server()).unwrap(), @r#"
    authorizations:
    - authentication:
        Permit:
          MeshTLS: {}
      labels:
        group: ""
        name: "true"
      metadata:
        Kind:
          Default: all-authenticated
      networks:
      - net:
          ip:
            Ip:
              Ipv4: 0
    protocol:
      Kind:
        Detect:
          timeout:
            seconds: 10
    server_ips:
    - Ip:
        Ipv4: 167772167
    "#);
}

#[test]
fn a_member_of_a_oneof_is_kept_even_when_it_is_zero() {
    let get = HttpMethod { r#type: Some(http_method::Type::Registered(0)) };
    assert_eq!(get.dump(), json!({"Type": {"Registered": 0}}));
    assert_eq!(HttpMethod { r#type: None }.dump(), json!({}));
    let hint = ProtocolHint {
        protocol: Some(protocol_hint::Protocol::H2(protocol_hint::H2 {})),
        opaque_transport: Some(protocol_hint::OpaqueTransport { inbound_port: 4143 }),
    };
    assert_eq!(hint.dump(), json!({"Protocol": {"H2": {}}, "opaque_transport": {"inbound_port": 4143}}));
}

#[test]
fn addresses_are_integers_and_bytes_are_base64() {
    let address = TcpAddress {
        ip: Some(IpAddress { ip: Some(ip_address::Ip::Ipv6(IPv6 { first: 1, last: u64::MAX })) }),
        port: 8080,
    };
    assert_eq!(address.dump(), json!({"ip": {"Ip": {"Ipv6": {"first": 1, "last": u64::MAX}}}, "port": 8080}));
    let header = HeaderMatch { name: "x".to_owned(), value: Some(header_match::Value::Exact(b"\xff".to_vec())) };
    assert_eq!(header.dump(), json!({"name": "x", "Value": {"Exact": "/w=="}}));
}

#[test]
fn single_precision_numbers_keep_their_digits() {
    let budget = RetryBudget { retry_ratio: 0.2, min_retries_per_second: 10, ttl: None };
    assert_eq!(budget.dump().to_string(), r#"{"min_retries_per_second":10,"retry_ratio":0.2}"#);
}

#[test]
fn messages_that_hold_themselves_are_followed() {
    let path = request_match::Match::Path(linkerd_proto::destination::PathMatch { regex: "/a".to_owned() });
    let inner = RequestMatch { r#match: Some(path) };
    let not = RequestMatch { r#match: Some(request_match::Match::Not(Box::new(inner.clone()))) };
    let all = request_match::Seq { matches: vec![not, inner] };
    assert_eq!(
        RequestMatch { r#match: Some(request_match::Match::All(all)) }.dump(),
        json!({"Match": {"All": {"matches": [
            {"Match": {"Not": {"Match": {"Path": {"regex": "/a"}}}}},
            {"Match": {"Path": {"regex": "/a"}}},
        ]}}})
    );
}

#[test]
fn a_resource_is_dumped_under_its_kind() {
    let service = Resource { group: "core".to_owned(), kind: "Service".to_owned(), port: 80, ..Resource::default() };
    let backend = Backend {
        metadata: Some(Metadata { kind: Some(metadata::Kind::Resource(service)) }),
        queue: Some(Queue { capacity: 100, failfast_timeout: Some(Duration { seconds: 3, nanos: 0 }) }),
        kind: None,
    };
    assert_eq!(
        backend.dump(),
        json!({
            "metadata": {"Kind": {"Resource": {"group": "core", "kind": "Service", "port": 80}}},
            "queue": {"capacity": 100, "failfast_timeout": {"seconds": 3}},
        })
    );
}
