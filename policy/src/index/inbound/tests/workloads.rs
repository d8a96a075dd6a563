use super::*;
use crate::testing::{external_workload, pod, server};
use linkerd_k8s::policy::ProxyProtocol;
use serde_json::json;

const OPAQUE_PORTS: &str = "config.linkerd.io/opaque-ports";
const DEFAULT_POLICY: &str = "config.linkerd.io/default-inbound-policy";
const REQUIRE_IDENTITY: &str = "config.linkerd.io/proxy-require-identity-inbound-ports";

/// Cases 2 and 94.
#[test]
fn a_pod_is_known_while_it_has_a_proxy() {
    let index = Index::new();
    let mut unmeshed = pod("web");
    unmeshed.json["metadata"]["labels"] = json!({"app": "web"});
    index.apply(&unmeshed);
    assert!(!index.is_known(WorkloadKind::Pod, "web"));
    index.apply(&pod("web"));
    assert!(index.is_known(WorkloadKind::Pod, "web"));
    assert!(!index.is_known(WorkloadKind::ExternalWorkload, "web"));
    let watch = index.watch("web", 80);
    index.apply(&unmeshed);
    assert!(watch.has_ended() && !index.is_known(WorkloadKind::Pod, "web"));
}

/// Case 3.
#[test]
fn a_port_without_server_has_the_default_policy() {
    let index = Index::new();
    let policy = index.apply(&pod("web")).policy("web", 8080);
    assert_eq!(policy.source, ServerSource::Default(AccessPolicy::AllUnauthenticated));
    assert_eq!(allowed_by(&policy), ["default all-unauthenticated"]);
    assert!(matches!(policy.protocol, Protocol::Detect { timeout, .. } if timeout.as_secs() == 10));
    assert_eq!(routes(&policy), ["default"]);
}

/// Case 4.
#[test]
fn a_pod_may_choose_its_default_policy() {
    for policy in AccessPolicy::ALL {
        let flag = Index::with(Config { default_policy: policy, ..config() });
        assert_eq!(source(&flag.apply(&pod("web")).policy("web", 80)), policy.as_str());
        let other = Config { default_policy: AccessPolicy::Deny, ..config() };
        let annotated = pod("web").annotation(DEFAULT_POLICY, policy.as_str());
        assert_eq!(source(&Index::with(other).apply(&annotated).policy("web", 80)), policy.as_str());
    }
}

/// Case 5.
#[test]
fn an_unknown_default_policy_is_reported_and_passed_over() {
    let index = Index::new();
    index.apply(&pod("web").annotation(DEFAULT_POLICY, "bogus"));
    assert_eq!(source(&index.policy("web", 80)), "all-unauthenticated");
    assert_eq!(
        index.problems(),
        [r#"Pod n/web: annotation config.linkerd.io/default-inbound-policy: invalid mode: "bogus""#]
    );
    index.apply(&pod("web"));
    assert_eq!(index.problems(), [""; 0]);
}

/// Case 6.
#[test]
fn an_edited_annotation_reaches_open_watches() {
    let index = Index::new();
    index.apply(&pod("web").annotation(DEFAULT_POLICY, "deny"));
    let mut watch = index.watch("web", 80);
    assert_eq!(source(&watch.news().unwrap()), "deny");
    index.apply(&pod("web").annotation(DEFAULT_POLICY, "audit"));
    assert_eq!(source(&watch.news().unwrap()), "audit");
    index.apply(&pod("web"));
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
}

/// Case 7.
#[test]
fn ports_that_need_an_identity_turn_an_open_default_into_its_authenticated_form() {
    for (policy, expected) in [
        ("cluster-unauthenticated", "cluster-authenticated"),
        ("all-unauthenticated", "all-authenticated"),
        ("all-authenticated", "all-authenticated"),
        ("deny", "deny"),
        ("audit", "audit"),
    ] {
        let index = Index::new();
        index.apply(&pod("web").annotation(DEFAULT_POLICY, policy).annotation(REQUIRE_IDENTITY, "80"));
        assert_eq!(source(&index.policy("web", 80)), expected);
        assert_eq!(source(&index.policy("web", 81)), policy);
    }
}

/// Case 8.
#[test]
fn an_opaque_port_is_opaque_unless_a_server_says_otherwise() {
    for policy in AccessPolicy::ALL {
        let index = Index::with(Config { default_policy: policy, ..config() });
        index.apply(&pod("web").annotation(OPAQUE_PORTS, "80"));
        assert_eq!(index.policy("web", 80).protocol, Protocol::Opaque);
        index.apply(&server("s", "web", json!(80)).spec("proxyProtocol", json!("HTTP/1")));
        assert!(matches!(index.policy("web", 80).protocol, Protocol::Http1(_)));
    }
}

/// Case 9.
#[test]
fn one_bad_port_makes_the_whole_annotation_empty() {
    for (text, opaque) in [("4,1-2", &[1, 2, 4][..]), ("80,foo", &[]), ("2-1", &[]), ("0", &[]), ("65537", &[])] {
        let index = Index::new();
        index.apply(&pod("web").annotation(OPAQUE_PORTS, text));
        let found: Vec<u16> =
            (1..=100).filter(|port| index.policy("web", *port).protocol == Protocol::Opaque).collect();
        assert_eq!(found, opaque, "{text}");
        assert_eq!(index.problems().is_empty(), !opaque.is_empty());
    }
}

/// Cases 25 and 87.
#[test]
fn http_probes_have_a_route_of_their_own_with_a_server_and_without() {
    let index = Index::new();
    let mut web = pod("web").container(&[("http", 8080)], Some(json!({"port": "http", "path": "/ready?full=1"})));
    web.json["spec"]["initContainers"] = json!([
        {"name": "proxy", "restartPolicy": "Always", "livenessProbe": {"httpGet": {"port": 8080}}},
        {"name": "other", "livenessProbe": {"httpGet": {"port": "http", "path": "/foreign"}},
         "startupProbe": {"httpGet": {"port": 8080, "path": "/bad path"}}},
    ]);
    index.apply(&web);
    let paths = |policy: &InboundServer| match &policy.protocol {
        Protocol::Detect { routes, .. } | Protocol::Http2(routes) => {
            assert_eq!(routes[1].authorizations[0].source, AuthorizationSource::Probe);
            let rule = &routes[1].rules[0];
            rule.matches.iter().map(|each| format!("{:?} {:?}", each.method, each.path)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let expected = [r#"Some(Get) Some(Exact("/"))"#, r#"Some(Get) Some(Exact("/ready"))"#];
    assert_eq!(routes(&index.policy("web", 8080)), ["default", "probe"]);
    assert_eq!(paths(&index.policy("web", 8080)), expected);
    assert_eq!(routes(&index.policy("web", 8081)), ["default"]);
    index.apply(&server("s", "web", json!("http")).spec("proxyProtocol", json!("HTTP/2")));
    assert_eq!(paths(&index.policy("web", 8080)), expected);
}

/// Case 25.
#[test]
fn probes_have_no_route_without_networks_or_with_a_port_that_is_not_tcp() {
    let probed = pod("web").container(&[("http", 8080)], Some(json!({"port": "http"})));
    let index = Index::with(Config { probe_networks: vec![], ..config() });
    assert_eq!(routes(&index.apply(&probed).policy("web", 8080)), ["default"]);
    let mut udp = probed;
    udp.json["spec"]["containers"][0]["ports"][0]["protocol"] = json!("UDP");
    assert_eq!(routes(&Index::new().apply(&udp).policy("web", 8080)), ["default"]);
}

/// Cases 13 and 94.
#[test]
fn an_external_workload_has_servers_of_its_own() {
    let index = Index::new();
    let external = server("ext", "web", json!("http"))
        .without("podSelector")
        .spec("externalWorkloadSelector", json!({"matchLabels": {"app": "web"}}))
        .spec("proxyProtocol", json!("gRPC"));
    index.apply(&external).apply(&server("pods", "web", json!(8080)));
    index.apply(&external_workload("web")).apply(&pod("web").container(&[("http", 8080)], None));
    let mut watch = index.watch_workload(WorkloadKind::ExternalWorkload, "web", 8080);
    let policy = watch.news().unwrap();
    assert_eq!((source(&policy), routes(&policy)), ("ext", vec!["default"]));
    assert_eq!(source(&index.policy("web", 8080)), "pods");
    index.delete::<ExternalWorkload>("web");
    assert!(watch.has_ended() && index.is_known(WorkloadKind::Pod, "web"));
}

/// The ports of an external workload may change, and its named ports with them.
#[test]
fn a_moved_port_of_an_external_workload_leaves_its_server() {
    let index = Index::new();
    let external =
        server("ext", "web", json!("http")).without("podSelector").spec("externalWorkloadSelector", json!({}));
    index.apply(&external).apply(&external_workload("web"));
    let mut watch = index.watch_workload(WorkloadKind::ExternalWorkload, "web", 8080);
    assert_eq!(source(&watch.news().unwrap()), "ext");
    index.apply(&external_workload("web").spec("ports", json!([{"name": "http", "port": 9090}])));
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
}

/// Case 29, and the ideals of 2.1 and 2.2.
#[test]
fn a_watch_ends_with_its_pod_and_hears_of_nothing_else() {
    let index = Index::new();
    index.apply(&pod("web").container(&[("http", 80)], None));
    let mut watch = index.watch("web", 80);
    assert!(watch.news().is_some());
    index.apply(&pod("other")).apply(&server("s", "other", json!(80))).delete::<Pod>("other");
    index.apply(&pod("web").container(&[("http", 80)], None));
    assert_eq!(watch.news(), None);
    // A name may be used again, and its deletion be missed: the new pod replaces the old one.
    index.apply(&pod("web").container(&[("http", 81)], None)).apply(&server("web", "web", json!("http")));
    assert_eq!((source(&index.policy("web", 80)), source(&index.policy("web", 81))), ("all-unauthenticated", "web"));
    index.delete::<Pod>("web");
    assert!(watch.has_ended());
}

/// Proxies may ask before the API server has told of their pod.
#[test]
fn a_watch_may_wait_for_its_pod() {
    let index = Index::new();
    let mut watch = index.watch("web", 80);
    assert_eq!(watch.news(), None);
    index.delete::<Pod>("web");
    assert!(!watch.has_ended());
    index.apply(&pod("web"));
    assert_eq!(source(&watch.news().unwrap()), "all-unauthenticated");
}

/// Case 83.
#[test]
fn nothing_is_left_of_watches_that_are_gone() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)));
    let watches: Vec<Watch> = (80..180).map(|port| index.watch("web", port)).collect();
    let unknown = Watch(InboundIndex::watch(&index.0, &workload("elsewhere", WorkloadKind::Pod, "x"), 80));
    assert_eq!(index.0.lock().distinct_policies(), 2, "equal policies are one");
    assert_eq!(index.0.lock().namespaces.len(), 2);
    drop((watches, unknown));
    let locked = index.0.lock();
    assert_eq!(locked.sizes()[&("watch", "n".to_owned())], 0);
    assert_eq!((locked.namespaces.len(), locked.distinct_policies()), (1, 0));
    drop(locked);
    index.delete::<Pod>("web").delete::<Server>("s");
    let locked = index.0.lock();
    assert_eq!((locked.namespaces.len(), locked.workloads.len()), (0, 0));
}

/// Pods of one template are one in memory.
#[test]
fn equal_pods_share_what_is_known_of_them() {
    let index = Index::new();
    for i in 0..100 {
        index.apply(&pod(&format!("web-{i}")).label("app", "web").container(&[("http", 80)], None));
    }
    assert_eq!(index.0.lock().workloads.len(), 1);
}

/// A complete list removes what it lacks, and nothing before its end.
#[test]
fn a_list_sweeps_what_it_lacks_when_it_ends() {
    let index = Index::new();
    index.apply(&pod("web")).apply(&pod("gone")).apply(&external_workload("gone"));
    index.reset::<Pod>(&["web"]);
    assert!(index.is_known(WorkloadKind::Pod, "web") && !index.is_known(WorkloadKind::Pod, "gone"));
    assert!(index.is_known(WorkloadKind::ExternalWorkload, "gone"));
}

/// Case 82.
#[test]
fn an_index_is_synced_once_every_kind_was_listed() {
    let index = Index::new();
    let synced = index.0.lock().synced();
    index.reset::<Pod>(&[]);
    index.reset::<ExternalWorkload>(&[]);
    index.reset::<Server>(&[]);
    index.reset::<ServerAuthorization>(&[]);
    index.reset::<AuthorizationPolicy>(&[]);
    index.reset::<MeshTlsAuthentication>(&[]);
    assert!(!*synced.borrow());
    index.reset::<NetworkAuthentication>(&[]);
    assert!(*synced.borrow());
}

/// The kinds of protocol, each with the routes that it carries.
#[test]
fn every_protocol_of_a_server_reaches_proxies() {
    for (text, protocol, expected) in [
        ("unknown", ProxyProtocol::Unknown, &["default"][..]),
        ("HTTP/1", ProxyProtocol::Http1, &["default"]),
        ("HTTP/2", ProxyProtocol::Http2, &["default"]),
        ("gRPC", ProxyProtocol::Grpc, &["default"]),
        ("opaque", ProxyProtocol::Opaque, &[]),
        ("TLS", ProxyProtocol::Tls, &[]),
    ] {
        let index = Index::new();
        index.apply(&pod("web")).apply(&server("s", "web", json!(80)).spec("proxyProtocol", json!(text)));
        let policy = index.policy("web", 80);
        assert_eq!(routes(&policy), expected, "{text}");
        let none = crate::core::inbound::Probes { paths: None, networks: &[] };
        assert_eq!(policy.protocol, crate::core::inbound::protocol_without_routes(protocol, none));
    }
}
