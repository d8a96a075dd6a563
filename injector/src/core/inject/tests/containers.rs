use super::*;

const NON_NATIVE: &str = "proxy-enable-native-sidecar";

// Cases 12 and 21.
#[test]
fn a_patch_has_its_operations_in_order() {
    let injected = pod().injected();
    insta::assert_snapshot!(injected.paths().join("\n"), @r"
    /metadata/annotations
    /metadata/annotations/linkerd.io~1created-by
    /metadata/annotations/linkerd.io~1inject
    /metadata/annotations/linkerd.io~1proxy-version
    /metadata/annotations/linkerd.io~1trust-root-sha256
    /metadata/labels
    /metadata/labels/linkerd.io~1control-plane-ns
    /metadata/labels/linkerd.io~1workload-ns
    /spec/volumes
    /spec/initContainers
    /spec/volumes/-
    /spec/initContainers/0
    /spec/volumes/-
    /spec/volumes/-
    /spec/initContainers/1
    ");
    assert_eq!(injected.names("initContainers"), ["linkerd-init", "linkerd-proxy"]);
    let volumes = ["linkerd-proxy-init-xtables-lock", "linkerd-identity-end-entity", "linkerd-identity-token"];
    assert_eq!(injected.names("volumes"), volumes);
    assert_eq!(injected.proxy()["restartPolicy"], "Always");
    assert_eq!(injected.proxy()["startupProbe"]["failureThreshold"], 120);
    assert_eq!(injected.proxy().get("lifecycle"), None);
    assert_eq!(injected.proxy().get("resources"), None);
}

// Case 21.
#[test]
fn what_a_pod_has_already_is_not_replaced() {
    let injected = pod().on_pod("x.io/a", "1").with_label("app", "web").injected();
    assert!(!injected.paths().contains(&"/metadata/annotations"));
    assert!(!injected.paths().contains(&"/metadata/labels"));
    assert_eq!(injected.annotation("x.io/a"), Some("1"));
    assert_eq!(injected.label("app"), Some("web"));
}

// Case 13.
#[test]
fn a_native_sidecar_comes_before_the_applications_init_containers() {
    let injected = pod().init_container(json!({ "name": "migrate" })).injected();
    assert_eq!(injected.names("initContainers"), ["linkerd-init", "linkerd-proxy", "migrate"]);
    assert!(!injected.paths().contains(&"/spec/initContainers"));
}

// Case 14.
#[test]
fn an_ordinary_proxy_comes_first_and_holds_the_others_back() {
    let injected = pod().init_container(json!({ "name": "migrate" })).on_pod(NON_NATIVE, "false").injected();
    assert_eq!(injected.names("initContainers"), ["migrate", "linkerd-init"]);
    assert_eq!(injected.names("containers"), ["linkerd-proxy", "web"]);
    let command = &injected.proxy()["lifecycle"]["postStart"]["exec"]["command"];
    assert_eq!(*command, json!(["/usr/lib/linkerd/linkerd-await", "--timeout=2m", "--port=4191"]));
    assert_eq!(injected.proxy().get("restartPolicy"), None);
    assert_eq!(injected.proxy().get("startupProbe"), None);
}

// Case 15.
#[test]
fn a_proxy_that_nothing_awaits_comes_last() {
    let injected =
        pod().on_pod(NON_NATIVE, "false").on_pod("proxy-await", "disabled").on_pod("enable-debug-sidecar", "true");
    let injected = injected.injected();
    assert_eq!(injected.names("containers"), ["web", "linkerd-debug", "linkerd-proxy"]);
    assert_eq!(injected.proxy().get("lifecycle"), None);
    let native = pod().on_pod("proxy-await", "disabled").injected();
    assert_eq!(native.proxy().get("startupProbe"), None);
}

// Case 16.
#[test]
fn only_an_ordinary_proxy_waits_before_it_exits() {
    let waiting = || pod().on_pod("config.alpha.linkerd.io/proxy-wait-before-exit-seconds", "300");
    let injected = waiting().on_pod(NON_NATIVE, "false").injected();
    assert_eq!(injected.proxy()["lifecycle"]["preStop"]["exec"]["command"], json!(["/bin/sleep", "300"]));
    assert_eq!(waiting().injected().proxy().get("lifecycle"), None);
}

// Cases 17, 18 and 19.
#[test]
fn the_first_spelling_of_the_native_sidecar_decides() {
    let (beta, alpha) =
        ("config.beta.linkerd.io/proxy-enable-native-sidecar", "config.alpha.linkerd.io/proxy-enable-native-sidecar");
    let is_native = |case: Case| case.injected().proxy().get("restartPolicy").is_some();
    let invalid = || pod().on_pod(NON_NATIVE, "maybe").on_pod(alpha, "true");
    assert!(!is_native(invalid().values("proxy: {nativeSidecar: false}")));
    assert_eq!(invalid().injected().warnings.len(), 1);
    assert!(!is_native(pod().on_pod(beta, "false")));
    assert!(is_native(pod().on_namespace(beta, "false")));
    assert!(!is_native(pod().on_namespace(alpha, "false")));
    assert!(is_native(pod().on_namespace(NON_NATIVE, "true").on_pod(alpha, "false")));
}

// Cases 20 and 52.
#[test]
fn the_cni_plug_in_is_validated_instead_of_an_init_container() {
    let injected = pod().values("cniEnabled: true").init_container(json!({ "name": "migrate" })).injected();
    assert_eq!(injected.names("initContainers"), ["linkerd-network-validator", "linkerd-proxy", "migrate"]);
    assert_eq!(injected.names("volumes"), ["linkerd-identity-end-entity", "linkerd-identity-token"]);
    let args = |values| {
        let injected = pod().values(values).injected();
        let args = injected.container("linkerd-network-validator")["args"].as_array().unwrap().clone();
        args.iter().map(|arg| arg.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        args("cniEnabled: true"),
        "--log-format plain --log-level debug --connect-addr 1.1.1.1:20001 --listen-addr 0.0.0.0:4140 --timeout 10s"
    );
    assert!(
        args("{cniEnabled: true, disableIPv6: false}")
            .contains("--connect-addr [fd00::1]:20001 --listen-addr [::]:4140")
    );
    assert!(!pod().values("disableIPv6: false").injected().init_args().contains(&"--ipv6=false"));
}

#[test]
fn the_init_container_has_its_arguments_in_order() {
    let values = "proxyInit: {logFormat: json, logLevel: debug, runAsRoot: true}";
    let case = pod().values(values).on_pod("proxy-gid", "8500").on_pod("skip-subnets", "10.1.0.0/16, 1.1.1.1/24");
    let injected = case.on_pod("close-wait-timeout", "1h").injected();
    insta::assert_snapshot!(injected.init_args().join(" "), @"--firewall-bin-path iptables-nft --firewall-save-bin-path iptables-nft-save --ipv6=false --incoming-proxy-port 4143 --outgoing-proxy-port 4140 --proxy-uid 2102 --proxy-gid 8500 --inbound-ports-to-ignore 4190,4191,4567,4568 --outbound-ports-to-ignore 4567,4568 --timeout-close-wait-secs 3600 --log-format json --log-level debug --subnets-to-ignore 10.1.0.0/16,1.1.1.1/24");
    let legacy = pod().values("proxyInit: {iptablesMode: legacy}").injected();
    assert!(!legacy.init_args().contains(&"--firewall-bin-path"));
}

// Case 50.
#[test]
fn capabilities_follow_those_of_the_first_container() {
    let declared = json!({ "capabilities": { "add": ["NET_BIND_SERVICE", "NET_ADMIN"], "drop": ["ALL", "NET_RAW"] } });
    let injected = pod().container("securityContext", declared.clone()).injected();
    assert_eq!(injected.proxy()["securityContext"]["capabilities"], declared["capabilities"]);
    let expected = json!({ "add": ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"], "drop": ["ALL"] });
    assert_eq!(injected.container("linkerd-init")["securityContext"]["capabilities"], expected);
    assert_eq!(pod().injected().proxy()["securityContext"].get("capabilities"), None);
}

// Cases 40, 51 and 76.
#[test]
fn users_groups_and_close_wait_are_plain_decimals() {
    let injected = pod().on_pod("proxy-uid", "1000650000").injected();
    assert_eq!(injected.init_flag("--proxy-uid"), Some("1000650000"));
    assert_eq!(injected.proxy()["securityContext"]["runAsUser"], 1_000_650_000);
    assert_eq!(injected.proxy()["securityContext"].get("runAsGroup"), None);
    assert_eq!(injected.init_flag("--proxy-gid"), None);
    let injected = pod().on_pod("proxy-gid", "8500").injected();
    assert_eq!(injected.proxy()["securityContext"]["runAsGroup"], 8500);
    assert_eq!(injected.init_flag("--proxy-gid"), Some("8500"));
    let root = "proxyInit: {runAsRoot: true}";
    let injected = pod().values(root).on_pod("close-wait-timeout", "1h").injected();
    assert_eq!(injected.init_flag("--timeout-close-wait-secs"), Some("3600"));
    let security = &injected.container("linkerd-init")["securityContext"];
    assert_eq!(security["privileged"], true);
    assert_eq!((&security["runAsUser"], &security["runAsNonRoot"]), (&json!(0), &json!(false)));
    assert!(pod().on_pod("close-wait-timeout", "1h").rejected().contains("runAsRoot"));
    assert_eq!(pod().on_pod("close-wait-timeout", "bad").injected().warnings.len(), 1);
}

#[test]
fn the_init_container_is_never_root_by_accident() {
    let injected = pod().values("proxyInit: {runAsUser: 0, runAsGroup: 0}").injected();
    let security = &injected.container("linkerd-init")["securityContext"];
    assert_eq!((&security["runAsUser"], &security["runAsGroup"]), (&json!(65534), &json!(65534)));
    assert_eq!(security["runAsNonRoot"], true);
}

#[test]
fn a_security_context_in_the_values_replaces_the_default() {
    let injected = pod().values("proxy: {securityContext: {runAsUser: 7}}").injected();
    assert_eq!(injected.proxy()["securityContext"], json!({ "runAsUser": 7 }));
}

#[test]
fn the_lock_of_iptables_moves_with_its_volume() {
    let injected = pod().values("proxyInit: {xtMountPath: {mountPath: /x, name: lock}}").injected();
    assert_eq!(injected.names("volumes")[0], "lock");
    let mounts = &injected.container("linkerd-init")["volumeMounts"];
    assert_eq!(*mounts, json!([{ "name": "lock", "mountPath": "/x" }]));
}

// Case 54.
#[test]
fn the_debug_container_has_an_image_of_its_own() {
    let case = pod().on_pod("enable-debug-sidecar", "true").on_pod("debug-image", "my/debug");
    let injected = case.on_pod("debug-image-version", "v1").on_pod("debug-image-pull-policy", "Always").injected();
    let debug = injected.container("linkerd-debug");
    assert_eq!((&debug["image"], &debug["imagePullPolicy"]), (&json!("my/debug:v1"), &json!("Always")));
    let injected = pod().on_pod("enable-debug-sidecar", "nope").injected();
    assert_eq!(injected.names("containers"), ["web"]);
    assert_eq!(injected.warnings.len(), 1);
}

// Cases 55 and 56.
#[test]
fn tracing_adds_the_pods_labels_and_attributes() {
    let values = "proxy: {tracing: {enabled: true, collector: {endpoint: 'c.jaeger:4317', meshIdentity: {serviceAccountName: c, namespace: jaeger}}}}";
    let case = || pod().values(values).with_label("app.kubernetes.io/instance", "i");
    let injected = case().on_pod("resource.opentelemetry.io/foo", "bar").injected();
    assert_eq!(injected.names("volumes")[2], "linkerd-podinfo");
    let mounts = injected.proxy()["volumeMounts"].as_array().unwrap();
    assert!(mounts.contains(&json!({ "name": "linkerd-podinfo", "mountPath": "/var/run/linkerd/podinfo" })));
    assert_eq!(injected.proxy_env("TRACE_COLLECTOR_SVC_ADDR"), Some("c.jaeger:4317"));
    let peer = "c.jaeger.serviceaccount.identity.linkerd.cluster.local";
    assert_eq!(injected.proxy_env("TRACE_COLLECTOR_SVC_NAME"), Some(peer));
    insta::assert_snapshot!(injected.proxy_env("TRACE_EXTRA_ATTRIBUTES").unwrap(), @r"
    foo=bar
    k8s.container.name=$(_pod_containerName)
    k8s.pod.ip=$(_pod_ip)
    k8s.pod.uid=$(_pod_uid)
    service.name=i
    ");
    let own = case().on_pod("resource.opentelemetry.io/service.name", "own").injected();
    assert!(own.proxy_env("TRACE_EXTRA_ATTRIBUTES").unwrap().contains("service.name=own\n"));
    let broken = case().on_pod("resource.opentelemetry.io/foo", "a\nb=c").injected();
    assert!(!broken.proxy_env("TRACE_EXTRA_ATTRIBUTES").unwrap().contains("b=c"));
}
