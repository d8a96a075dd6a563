use super::*;

fn ports(list: &[u16]) -> Value {
    list.iter().map(|port| json!({ "containerPort": port })).collect()
}

// Case 33.
#[test]
fn the_proxys_ports_are_used_everywhere() {
    let case = pod().on_pod("control-port", "4000").on_pod("inbound-port", "5000");
    let injected = case.on_pod("admin-port", "5001").on_pod("outbound-port", "5002").injected();
    assert_eq!(injected.proxy_env("CONTROL_LISTEN_ADDR"), Some("0.0.0.0:4000"));
    assert_eq!(injected.proxy_env("INBOUND_LISTEN_ADDR"), Some("0.0.0.0:5000"));
    assert_eq!(injected.proxy_env("ADMIN_LISTEN_ADDR"), Some("0.0.0.0:5001"));
    assert_eq!(injected.proxy_env("OUTBOUND_LISTEN_ADDRS"), Some("127.0.0.1:5002"));
    let proxy = injected.proxy();
    assert_eq!(proxy["ports"][0]["containerPort"], 5000);
    assert_eq!(proxy["ports"][1]["containerPort"], 5001);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        assert_eq!(proxy[probe]["httpGet"]["port"], 5001, "{probe}");
    }
    assert_eq!(injected.init_flag("--incoming-proxy-port"), Some("5000"));
    assert_eq!(injected.init_flag("--outgoing-proxy-port"), Some("5002"));
    assert_eq!(injected.init_flag("--inbound-ports-to-ignore"), Some("4000,5001,4567,4568"));
    for bad in ["abc", "0", "70000", "-1", "4191.0"] {
        let injected = pod().on_pod("admin-port", bad).injected();
        assert_eq!(injected.proxy_env("ADMIN_LISTEN_ADDR"), Some("0.0.0.0:4191"), "{bad}");
        assert_eq!(injected.warnings.len(), 1, "{bad}");
    }
}

// Case 52.
#[test]
fn the_proxy_listens_on_both_families_with_ipv6() {
    let injected = pod().values("disableIPv6: false").injected();
    assert_eq!(injected.proxy_env("INBOUND_LISTEN_ADDR"), Some("[::]:4143"));
    assert_eq!(injected.proxy_env("OUTBOUND_LISTEN_ADDR"), Some("127.0.0.1:4140"));
    assert_eq!(injected.proxy_env("OUTBOUND_LISTEN_ADDRS"), Some("127.0.0.1:4140,[::1]:4140"));
}

// Cases 42 and 43.
#[test]
fn opaque_ports_are_resolved_in_the_environment_and_kept_in_the_annotation() {
    const ENV: &str = "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION";
    let named = json!([{ "name": "mysql", "containerPort": 3306 }]);
    let injected = pod().on_pod("opaque-ports", "mysql").container("ports", named.clone()).injected();
    assert_eq!(injected.proxy_env(ENV), Some("3306"));
    assert_eq!(injected.annotation("opaque-ports"), Some("mysql"));
    let init = pod().on_pod("opaque-ports", "mysql").init_container(json!({ "name": "i", "ports": named })).injected();
    assert_eq!(init.proxy_env(ENV), Some("3306"));
    let injected = pod().on_pod("opaque-ports", "4320-4325, 3306,,x,70000").injected();
    assert_eq!(injected.proxy_env(ENV), Some("4320-4325,3306"));
    assert_eq!(injected.warnings.len(), 1);
    let injected = pod().on_pod("opaque-ports", "").container("ports", ports(&[3306])).injected();
    assert_eq!(injected.proxy_env(ENV), None);
    let injected = pod().on_namespace("opaque-ports", "7777").injected();
    assert_eq!(injected.proxy_env(ENV), Some("7777"));
    assert_eq!(injected.annotation("opaque-ports"), Some("7777"));
}

// Case 44.
#[test]
fn opaque_ports_are_derived_when_nothing_is_said() {
    const ENV: &str = "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION";
    let case = pod().init_container(json!({ "name": "i", "ports": ports(&[11211]) }));
    let injected = case.container("ports", ports(&[3306])).injected();
    assert_eq!(injected.annotation("opaque-ports"), Some("11211,3306"));
    assert_eq!(injected.proxy_env(ENV), Some("11211,3306"));
    let injected = pod().container("ports", ports(&[80])).injected();
    assert_eq!(injected.annotation("opaque-ports"), None);
    assert_eq!(injected.proxy_env(ENV), Some("25,587,3306,4444,5432,6379,9300,11211"));
}

// Case 45.
#[test]
fn a_pod_without_proxy_still_tells_its_opaque_ports() {
    let case = pod().without_namespace_annotations().container("ports", ports(&[3306]));
    let Action::Annotate(patch, reasons) = case.mutation().action else { panic!("no patch") };
    assert_eq!(reasons, [SkipReason::NotEnabled]);
    assert_eq!(
        patch.to_json(),
        json!([
            { "op": "add", "path": "/metadata/annotations", "value": {} },
            { "op": "add", "path": "/metadata/annotations/config.linkerd.io~1opaque-ports", "value": "3306" },
        ])
    );
    let own = case.on_pod("opaque-ports", "");
    assert_eq!(own.mutation().action, Action::Skip(vec![SkipReason::NotEnabled]));
}

// Cases 46 and 47.
#[test]
fn a_service_gets_its_opaque_ports_from_its_namespace_or_its_targets() {
    let run = |namespace: &Namespace, service: &Value| {
        let mutation = mutate(&config(""), namespace, &Owner::pod(""), "Service", service).unwrap();
        match mutation.action {
            Action::Annotate(patch, _) => {
                let mut service = service.clone();
                patch.apply(&mut service).unwrap();
                service["metadata"]["annotations"]["config.linkerd.io/opaque-ports"].as_str().map(str::to_owned)
            }
            action => {
                assert_eq!(action, Action::Skip(vec![SkipReason::UnsupportedResource]));
                None
            }
        }
    };
    let service = json!({
        "metadata": { "name": "db", "annotations": { "a": "b" } },
        "spec": { "ports": [
            { "port": 9090, "targetPort": 3306 },
            { "port": 5432, "targetPort": 9091 },
            { "port": 3306 },
            { "port": 9093, "targetPort": "name" },
        ] },
    });
    let plain = Namespace { name: "x".into(), annotations: BTreeMap::new() };
    let configured = pod().on_namespace("opaque-ports", "3306 \"<&>").namespace;
    assert_eq!(run(&plain, &service).as_deref(), Some("9090,3306"));
    assert_eq!(run(&configured, &service).as_deref(), Some("3306 \"<&>"));
    let mut own = service;
    own["metadata"]["annotations"]["config.linkerd.io/opaque-ports"] = json!("1");
    assert_eq!(run(&configured, &own), None);
    assert_eq!(run(&plain, &json!({ "metadata": {}, "spec": { "ports": [{ "port": 80 }] } })), None);
}

// Cases 48 and 49.
#[test]
fn inbound_ports_are_found_or_given() {
    let case = || {
        let case = pod().container("ports", ports(&[80]));
        case.container("livenessProbe", json!({ "httpGet": { "port": 9090 } }))
    };
    assert_eq!(case().injected().proxy_env("INBOUND_PORTS"), Some("80,9090"));
    let init = case().init_container(json!({ "name": "i", "ports": ports(&[11211]) }));
    assert_eq!(init.injected().proxy_env("INBOUND_PORTS"), Some("80,9090,11211"));
    let given = case().on_pod("pod-inbound-ports", "1234,5678").injected();
    assert_eq!(given.proxy_env("INBOUND_PORTS"), Some("1234,5678"));
    assert_eq!(pod().injected().proxy_env("INBOUND_PORTS"), Some(""));
}

// Case 53.
#[test]
fn skipped_ports_replace_those_of_the_values() {
    let flag = |value: &str| {
        pod().on_pod("skip-inbound-ports", value).injected().init_flag("--inbound-ports-to-ignore").map(str::to_owned)
    };
    assert_eq!(flag("22,8100-8102").as_deref(), Some("4190,4191,22,8100-8102"));
    assert_eq!(flag("").as_deref(), Some("4190,4191"));
    assert_eq!(flag("22, x\", 23").as_deref(), Some("4190,4191,22,23"));
    assert_eq!(pod().on_pod("skip-outbound-ports", "").injected().init_flag("--outbound-ports-to-ignore"), None);
}
