use super::*;
use tonic::Code;

/// Cases 1 and 84.
#[test]
fn a_proxy_names_its_workload_in_json_or_with_a_colon() {
    let parsed =
        |token: &str| workload(token).map(|id| (id.namespace.to_string(), id.key.kind, id.key.name.to_string()));
    let named = |kind, name: &str| Ok(("n".to_owned(), kind, name.to_owned()));
    for token in ["n:p", r#"{"ns":"n","pod":"p"}"#, "{\"ns\":\"n\", \"pod\":\"p\"}\n", r#"{"ns":"n","pod":"p","x":1}"#]
    {
        assert_eq!(parsed(token), named(WorkloadKind::Pod, "p"), "{token}");
    }
    let external = r#"{"ns":"n","external_workload":"w"}"#;
    assert_eq!(parsed(external), named(WorkloadKind::ExternalWorkload, "w"));
    let both = r#"{"ns":"n","pod":"p","external_workload":"w"}"#;
    assert_eq!(parsed(both), named(WorkloadKind::Pod, "p"));
    for bad in [
        "ns",
        ":pod",
        "ns:",
        "",
        r#"{"ns":"n","nonsense":"x"}"#,
        r#"{"ns":"n"}"#,
        r#"{"ns":"n","pod":"p"} x"#,
        r#"{"ns":"n","pod":""}"#,
    ] {
        let error = parsed(bad).unwrap_err();
        assert_eq!(error, LookupError::Workload(bad.to_owned()));
        assert_eq!(Status::from(error).code(), Code::InvalidArgument, "{bad}");
    }
}

/// Case 2.
#[test]
fn an_inbound_port_has_sixteen_bits_and_is_not_zero() {
    assert_eq!(inbound_port(65535), Ok(65535));
    for bad in [0, 65536] {
        assert_eq!(inbound_port(bad).unwrap_err().to_string(), format!("Invalid port: {bad}"));
    }
}

/// Case 33, and the ideals of 3.1.
#[test]
fn an_authority_names_a_service_of_the_cluster() {
    let parsed = |authority: &str| service_port(authority, "cluster.local");
    let web = |port| Ok(ServicePort { service: ObjectId::new("ns", "web"), port });
    for (authority, port) in [
        ("web.ns.svc.cluster.local:8080", 8080),
        ("web.ns.svc.cluster.local", 80),
        ("web.ns.svc.cluster.local.:8080", 8080),
        ("web.ns.svc", 80),
        ("WEB.ns.SVC.cluster.LOCAL", 80),
        ("user@web.ns.svc:81", 81),
        ("web.ns.svc:0", 80),
        ("web.ns.svc:", 80),
    ] {
        assert_eq!(parsed(authority), web(port), "{authority}");
    }
    for not_found in [
        "web.ns.cluster.local",
        "a.web.ns.svc.cluster.local",
        "web.ns.svc.other.domain",
        "10.1.2.3:80",
        "[::1]:80",
        "web",
        "example.com",
        ".ns.svc",
        "web..svc",
    ] {
        let status = Status::from(parsed(not_found).unwrap_err());
        assert_eq!(status.code(), Code::NotFound, "{not_found}");
        assert_eq!(status.message(), "authority must be of the form <name>.<namespace>.svc.cluster.local");
    }
    for (invalid, message) in [
        ("", "authority must have a host"),
        (":80", "authority must have a host"),
        ("web.ns.svc:65536", "port outside valid range"),
        ("a b", "invalid authority"),
    ] {
        let status = Status::from(parsed(invalid).unwrap_err());
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, message), "{invalid}");
    }
}

#[test]
fn a_target_is_an_address_or_an_authority_with_a_client() {
    let address = |ip: Option<net::IpAddress>, port| Some(traffic_spec::Target::Addr(net::TcpAddress { ip, port }));
    let ip = || Some(net::IpAddress::from([10, 0, 0, 1]));
    let parsed = |token: &str, value| target(token, value, "cluster.local");
    let key = parsed("n:p", address(ip(), 80)).unwrap();
    assert_eq!((&*key.client, key.target), ("n", Target::Address("10.0.0.1:80".parse().unwrap())));
    assert_eq!(parsed("n:p", None), Err(LookupError::NoTarget));
    assert_eq!(parsed("n", address(ip(), 80)), Err(LookupError::Workload("n".to_owned())));
    assert_eq!(parsed("n:p", address(None, 80)), Err(LookupError::NoIp));
    assert_eq!(parsed("n:p", address(ip(), 0)), Err(LookupError::ZeroPort));
    assert_eq!(parsed("n:p", address(ip(), 65536)), Err(LookupError::PortRange));
}
