use super::*;

// Case 26.
#[test]
fn known_annotations_of_the_namespace_are_inherited() {
    let wait = "config.alpha.linkerd.io/proxy-wait-before-exit-seconds";
    let case =
        pod().on_namespace("skip-outbound-ports", "34567").on_namespace(wait, "300").on_namespace("unknown", "x");
    let injected = case.on_namespace("proxy-enable-native-sidecar", "false").injected();
    assert_eq!(injected.annotation("skip-outbound-ports"), Some("34567"));
    assert_eq!(injected.annotation(wait), Some("300"));
    assert_eq!(injected.annotation("unknown"), None);
    assert_eq!(injected.init_flag("--outbound-ports-to-ignore"), Some("34567"));
    assert_eq!(injected.proxy()["lifecycle"]["preStop"]["exec"]["command"][1], "300");
}

// Case 27.
#[test]
fn a_pods_own_annotation_wins_even_when_it_is_empty() {
    let injected = pod().on_namespace("proxy-cpu-request", "1").on_pod("proxy-cpu-request", "2").injected();
    assert_eq!(injected.proxy()["resources"]["requests"]["cpu"], "2");
    let injected = pod().on_namespace("proxy-cpu-request", "1").on_pod("proxy-cpu-request", "").injected();
    assert_eq!(injected.proxy().get("resources"), None);
    assert_eq!(injected.annotation("proxy-cpu-request"), Some(""));
    assert!(injected.warnings.is_empty());
}

// Case 28.
#[test]
fn some_annotations_are_a_pods_own_matter() {
    let case = pod().on_namespace("enable-gateway", "true").on_namespace("close-wait-timeout", "1h");
    let injected = case.on_namespace("debug-image", "x").on_namespace("proxy-cpu-ratio-limit", "0.5").injected();
    for key in ["enable-gateway", "close-wait-timeout", "debug-image", "proxy-cpu-ratio-limit"] {
        assert_eq!(injected.annotation(key), None, "{key}");
    }
    assert_eq!(injected.proxy_env("INBOUND_GATEWAY_SUFFIXES"), None);
    assert_eq!(injected.proxy_env("CORES_MAX_RATIO"), None);
    let own = pod().on_pod("enable-gateway", "true").injected();
    assert_eq!(own.proxy_env("INBOUND_GATEWAY_SUFFIXES"), Some("svc.cluster.local."));
}

// Cases 29, 30 and 31.
#[test]
fn additional_variables_are_merged_from_all_layers() {
    let one = |pairs: &[(&str, &str)]| {
        let list: Vec<_> = pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!(list).to_string()
    };
    let values = "proxy: {additionalEnv: [{name: Z, value: '0'}], experimentalEnv: [{name: X, value: '9'}]}";
    let namespace = one(&[("A", "1"), ("B", "1")]);
    let case = || pod().values(values).on_namespace("proxy-additional-env", &namespace);
    let injected = case().on_pod("proxy-additional-env", &one(&[("B", "2"), ("C", "2")])).injected();
    assert_eq!(injected.env_tail(5), ["Z=0", "A=1", "B=2", "C=2", "X=9"]);
    let injected = case().injected();
    assert_eq!(injected.env_tail(4), ["Z=0", "A=1", "B=1", "X=9"]);
    assert_eq!(injected.annotation("proxy-additional-env"), Some(namespace.as_str()));
    for empty in ["", "[]"] {
        let injected = case().on_pod("proxy-additional-env", empty).injected();
        assert_eq!(injected.env_tail(4), ["Z=0", "A=1", "B=1", "X=9"]);
    }
    let injected = case().on_pod("proxy-additional-env", "{broken").injected();
    assert_eq!(injected.env_tail(3), ["A=1", "B=1", "X=9"]);
    assert_eq!(injected.warnings.len(), 1);
}

// Case 81.
#[test]
fn a_built_in_variable_keeps_its_place_and_the_users_comes_last() {
    let text = r#"[{"name":"LINKERD2_PROXY_LOG","value":"debug"}]"#;
    let injected = pod().on_pod("proxy-additional-env", text).injected();
    assert_eq!(injected.env_tail(1), ["LINKERD2_PROXY_LOG=debug"]);
    let env = injected.proxy()["env"].as_array().unwrap();
    assert_eq!(env.iter().filter(|variable| variable["name"] == "LINKERD2_PROXY_LOG").count(), 2);
}

// Cases 32 and 75.
#[test]
fn no_text_breaks_the_patch() {
    let text = "a\"b\\c\nd},]~1/é";
    let injected = pod().on_namespace("proxy-log-level", text).on_namespace("opaque-ports", text).injected();
    assert_eq!(injected.annotation("proxy-log-level"), Some(text));
    assert_eq!(injected.annotation("opaque-ports"), Some(text));
    let quoted = "warn,[{a=\"b\"}]=off";
    let injected = pod().on_namespace("proxy-log-level", quoted).injected();
    assert_eq!(injected.proxy_env("LOG"), Some(format!("{quoted},[{{headers}}]=off,[{{request}}]=off").as_str()));
    let injected = pod().on_pod("proxy-version", "v1\"").injected();
    assert_eq!(injected.annotation("linkerd.io/proxy-version"), Some(crate::VERSION));
    assert_eq!(injected.warnings.len(), 1);
}

// Cases 34 and 80.
#[test]
fn worker_threads_follow_cpu_requests_and_limits() {
    let cores = |request: &str, limit: &str| {
        let injected = pod().on_pod("proxy-cpu-request", request).on_pod("proxy-cpu-limit", limit).injected();
        let number = |name| injected.proxy_env(name).map(|text| text.parse::<u64>().unwrap());
        assert_eq!(number("CORES"), number("CORES_MIN"));
        (number("CORES_MIN"), number("CORES_MAX"))
    };
    assert_eq!(cores("0.15", "1.5"), (Some(1), Some(2)));
    assert_eq!(cores("1001m", ""), (Some(2), None));
    assert_eq!(cores("1m", "0"), (Some(1), None));
    assert_eq!(cores("4", "2"), (Some(4), Some(2)));
    assert_eq!(cores("0", "1"), (Some(1), Some(1)));
    for bad in ["foo", "-", "-1", "."] {
        assert_eq!(cores(bad, bad), (Some(1), None), "{bad}");
        assert_eq!(pod().on_pod("proxy-cpu-request", bad).injected().warnings.len(), 1, "{bad}");
    }
    let injected = pod().values("proxy: {cores: 3}").on_pod("proxy-cpu-limit", "2").injected();
    assert_eq!(injected.proxy_env("CORES"), Some("3"));
    assert_eq!(injected.proxy_env("CORES_MAX"), None);
}

#[test]
fn resources_go_to_the_init_container_too() {
    let case = pod().on_pod("proxy-memory-request", "20Mi").on_pod("proxy-memory-limit", "250Mi");
    let injected = case.on_pod("proxy-ephemeral-storage-limit", "1Gi").injected();
    let expected = json!({
        "requests": { "memory": "20Mi" },
        "limits": { "memory": "250Mi", "ephemeral-storage": "1Gi" },
    });
    assert_eq!(injected.proxy()["resources"], expected);
    assert_eq!(injected.container("linkerd-init")["resources"], expected);
}

// Cases 35 and 80.
#[test]
fn a_cpu_ratio_is_above_zero_and_below_one() {
    let ratio = |text: &str| pod().on_pod("proxy-cpu-ratio-limit", text).injected();
    assert_eq!(ratio("0.10").proxy_env("CORES_MAX_RATIO"), Some("0.1"));
    for bad in ["0", "1", "1.5", "x", "NaN", "inf", "-0.5"] {
        assert_eq!(ratio(bad).proxy_env("CORES_MAX_RATIO"), None, "{bad}");
        assert_eq!(ratio(bad).warnings.len(), 1, "{bad}");
    }
}

// Cases 36 and 37.
#[test]
fn timeouts_are_whole_numbers_of_one_unit() {
    let env =
        |key: &str, value: &str, name: &str| pod().on_pod(key, value).injected().proxy_env(name).map(str::to_owned);
    let connect = |value| env("proxy-outbound-connect-timeout", value, "OUTBOUND_CONNECT_TIMEOUT");
    assert_eq!(connect("6s5ms").as_deref(), Some("6005ms"));
    for bad in ["6000", "-5s", "0", "10us", ""] {
        assert_eq!(connect(bad).as_deref(), Some("1000ms"), "{bad}");
    }
    let discovery =
        |value| env("proxy-inbound-discovery-cache-unused-timeout", value, "INBOUND_DISCOVERY_IDLE_TIMEOUT");
    assert_eq!(discovery("6s5000ms").as_deref(), Some("11s"));
    assert_eq!(discovery("50000ms").as_deref(), Some("50s"));
    assert_eq!(discovery("300ms").as_deref(), Some("90s"));
    assert_eq!(env("shutdown-grace-period", "1m30s", "SHUTDOWN_GRACE_PERIOD").as_deref(), Some("90000ms"));
    assert_eq!(env("shutdown-grace-period", "", "SHUTDOWN_GRACE_PERIOD"), None);
}

// Case 38.
#[test]
fn protocol_detection_can_wait_for_ever() {
    let detect = |value: &str| {
        let injected = pod().on_pod("proxy-disable-inbound-protocol-detect-timeout", value).injected();
        injected.proxy_env("INBOUND_DETECT_TIMEOUT").map(str::to_owned)
    };
    assert_eq!(detect("9"), None);
    assert_eq!(detect("true").as_deref(), Some("365d"));
}

// Case 39.
#[test]
fn headers_are_logged_only_on_purpose() {
    let log = |value: &str| pod().on_pod("proxy-log-http-headers", value);
    assert_eq!(log("insecure").injected().proxy_env("LOG"), Some("warn,linkerd=info,hickory=error"));
    for off in ["", "off"] {
        assert!(log(off).injected().proxy_env("LOG").unwrap().ends_with(",[{headers}]=off,[{request}]=off"));
    }
    let message = log("on").rejected();
    assert!(message.contains("proxy-log-http-headers") && message.contains("off or insecure"), "{message}");
}

// Case 41.
#[test]
fn only_known_policies_become_the_default() {
    let policy = |value: &str| pod().on_pod("default-inbound-policy", value);
    assert_eq!(policy("foo").injected().proxy_env("INBOUND_DEFAULT_POLICY"), Some("all-unauthenticated"));
    assert_eq!(policy("audit").injected().proxy_env("INBOUND_DEFAULT_POLICY"), Some("audit"));
    assert!(policy("audit").values("clusterNetworks: ''").rejected().contains("cluster networks"));
}

#[test]
fn switches_are_enabled_or_disabled() {
    let shutdown = |value: &str| {
        let injected = pod().on_pod("proxy-admin-shutdown", value).injected();
        injected.proxy_env("SHUTDOWN_ENDPOINT_ENABLED").map(str::to_owned)
    };
    assert_eq!(shutdown("enabled").as_deref(), Some("true"));
    assert_eq!(shutdown("true").as_deref(), Some("false"));
}

#[test]
fn images_must_be_ones_that_a_kubelet_can_pull() {
    let case = pod().on_pod("proxy-image", "my.reg:5000/proxy").on_pod("proxy-version", "edge-1");
    let injected = case.on_pod("image-pull-policy", "Always").injected();
    for name in ["linkerd-proxy", "linkerd-init"] {
        assert_eq!(injected.container(name)["image"], "my.reg:5000/proxy:edge-1");
        assert_eq!(injected.container(name)["imagePullPolicy"], "Always");
    }
    assert_eq!(injected.annotation("linkerd.io/proxy-version"), Some("edge-1"));
    let case = pod().on_pod("proxy-image", "a b").on_pod("proxy-version", "").on_pod("image-pull-policy", "Maybe");
    let injected = case.injected();
    assert_eq!(injected.proxy()["image"], format!("cr.l5d.io/linkerd/proxy:{}", crate::VERSION));
    assert_eq!(injected.proxy()["imagePullPolicy"], "IfNotPresent");
    assert_eq!(injected.warnings.len(), 2);
}

#[test]
fn values_that_the_proxy_tolerates_stay_with_a_warning() {
    let case = pod().on_pod("access-log", "nginx").on_pod("proxy-log-format", "xml");
    let injected = case.on_pod("proxy-require-identity-inbound-ports", "80,x").injected();
    assert_eq!(injected.proxy_env("ACCESS_LOG"), Some("nginx"));
    assert_eq!(injected.proxy_env("LOG_FORMAT"), Some("xml"));
    assert_eq!(injected.proxy_env("INBOUND_PORTS_REQUIRE_IDENTITY"), Some("80,x"));
    assert_eq!(injected.warnings.len(), 3);
}

#[test]
fn a_warning_names_the_key_the_place_and_the_effect() {
    let injected = pod().on_namespace("admin-port", "abc").on_pod("skip-subnets", "10.0.0.0/8,x").injected();
    assert_eq!(
        injected.warnings,
        [
            "config.linkerd.io/admin-port on the namespace: \"abc\" is not a port from 1 to 65535; it is ignored",
            "config.linkerd.io/skip-subnets on the pod: \"x\" is not a network such as 10.0.0.0/8; it is left out",
        ]
    );
    assert_eq!(injected.init_flag("--subnets-to-ignore"), Some("10.0.0.0/8"));
}

/// Case 1 of the proxy's contract: only these variables may be empty.
#[test]
fn no_other_variable_is_empty() {
    let injected = pod().injected();
    let empty: Vec<_> = injected.proxy()["env"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|variable| variable["value"] == "")
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(empty, ["LINKERD2_PROXY_INBOUND_PORTS"]);
}

/// Case 2 of the proxy's contract.
#[test]
fn names_end_with_the_trust_domain_or_else_the_cluster_domain() {
    let name = "LINKERD2_PROXY_IDENTITY_LOCAL_NAME";
    let local = |values| pod().values(values).injected().env(name).map(str::to_owned).unwrap();
    assert_eq!(local(""), "$(_pod_sa).$(_pod_ns).serviceaccount.identity.linkerd.cluster.local");
    assert!(local("identityTrustDomain: x.org").ends_with(".identity.linkerd.x.org"));
    assert!(local("clusterDomain: y.org").ends_with(".identity.linkerd.y.org"));
}
