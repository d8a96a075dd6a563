use super::*;
use serde_json::{Value, json};

fn server(spec: Value) -> Result<Server, String> {
    let object = json!({"metadata": {"name": "web", "namespace": "n"}, "spec": spec});
    serde_json::from_value(object).map_err(|error| error.to_string())
}

#[test]
fn a_server_without_protocol_is_detected_and_denies() {
    let server = server(json!({"podSelector": {}, "port": 80})).unwrap();
    assert_eq!(server.spec.proxy_protocol, ProxyProtocol::Unknown);
    assert_eq!(server.access_policy(), Ok(AccessPolicy::Deny));
    assert!(server.selects_pod(&Default::default()) && !server.selects_external_workload(&Default::default()));
}

#[test]
fn every_protocol_has_its_spelling() {
    let protocol = |text| server(json!({"podSelector": {}, "port": "http", "proxyProtocol": text}));
    for text in ["unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"] {
        assert!(protocol(text).is_ok(), "{text}");
    }
    assert!(protocol("garbanzo").is_err());
    assert!(server(json!({"podSelector": {}})).is_err(), "a Server needs a port");
}

#[test]
fn every_access_policy_has_its_spelling() {
    for policy in AccessPolicy::ALL {
        assert_eq!(policy.as_str().parse(), Ok(policy));
    }
    let server = server(json!({"podSelector": {}, "port": 80, "accessPolicy": "foobar"})).unwrap();
    assert_eq!(server.access_policy().unwrap_err().to_string(), r#"invalid mode: "foobar""#);
}

fn network(value: Value) -> Result<Network, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn a_network_is_a_cidr_or_an_address_without_its_exceptions() {
    let ip = |text: &str| text.parse().unwrap();
    let subnet = network(json!({"cidr": "10.1.0.0/16", "except": ["10.1.1.0/24", "10.1.2.3"]})).unwrap();
    assert!(subnet.contains(ip("10.1.3.1")) && subnet.contains(ip("10.1.2.4")));
    assert!(!subnet.contains(ip("10.1.1.9")) && !subnet.contains(ip("10.1.2.3")) && !subnet.contains(ip("10.2.0.1")));
    assert_eq!(network(json!({"cidr": "::1"})).unwrap().cidr.prefix_len(), 128);
    assert_eq!(network(json!({"cidr": "10.0.0.7/8"})).unwrap().cidr.to_string(), "10.0.0.7/8");
    assert!(network(json!({"cidr": "10.0.0.0/33"})).is_err());
    assert!(network(json!({"cidr": "10.0.0.0/8", "except": ["bogus"]})).unwrap_err().contains("bogus"));
}

#[test]
fn a_reference_names_its_kind_in_any_case_and_core_in_three_ways() {
    let reference = |group: Option<&str>, kind: &str| Reference {
        group: group.map(str::to_owned),
        kind: kind.to_owned(),
        ..Reference::default()
    };
    for group in [None, Some(""), Some("core"), Some("CORE")] {
        assert!(reference(group, "serviceaccount").is_to("", "ServiceAccount"), "{group:?}");
        assert!(!reference(group, "Server").is_to(GROUP, "Server"), "{group:?}");
    }
    assert!(reference(Some("Policy.linkerd.io"), "SERVER").is_to(GROUP, "Server"));
    assert_eq!(reference(Some(GROUP), "Server").canonical_kind(), "Server.policy.linkerd.io");
    assert_eq!(reference(Some(""), "Pod").canonical_kind(), "Pod");
}

#[test]
fn a_server_authorization_selects_servers_in_exactly_one_way() {
    let selection = |server: Value| {
        let spec = json!({"server": server, "client": {"meshTLS": {"unauthenticatedTLS": true}, "networks": null}});
        serde_json::from_value::<ServerAuthorization>(json!({"metadata": {"name": "a"}, "spec": spec}))
    };
    assert_eq!(selection(json!({"name": "web"})).unwrap().spec.server, ServerSelection::Name("web".to_owned()));
    assert!(matches!(selection(json!({"selector": {}})).unwrap().spec.server, ServerSelection::Selector(_)));
    assert!(selection(json!({})).is_err() && selection(json!({"name": "web", "selector": {}})).is_err());
}
