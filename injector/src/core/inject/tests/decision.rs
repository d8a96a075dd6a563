use super::*;

// Cases 1 and 2.
#[test]
fn an_enabled_namespace_or_pod_injects_and_says_where_it_was_enabled() {
    let injected = pod().injected();
    assert_eq!(injected.annotation_at, AnnotationAt::Namespace);
    assert_eq!(injected.annotation("linkerd.io/inject"), Some("enabled"));
    let injected = pod().without_namespace_annotations().on_pod("linkerd.io/inject", "enabled").injected();
    assert_eq!(injected.annotation_at, AnnotationAt::Workload);
    let injected =
        pod().on_namespace("linkerd.io/inject", "disabled").on_pod("linkerd.io/inject", "enabled").injected();
    assert_eq!(injected.annotation_at, AnnotationAt::Workload);
}

// Cases 3, 4 and 5.
#[test]
fn an_annotation_that_says_no_skips_the_pod() {
    assert_eq!(pod().on_pod("linkerd.io/inject", "disabled").skipped(), ["injection_disable_annotation_present"]);
    assert_eq!(pod().without_namespace_annotations().skipped(), ["injection_enable_annotation_absent"]);
    let bad_namespace = pod().on_namespace("linkerd.io/inject", "true").on_pod("linkerd.io/inject", "enabled");
    assert_eq!(bad_namespace.skipped(), ["invalid_inject_annotation_at_ns"]);
    assert_eq!(pod().on_pod("linkerd.io/inject", "yes").skipped(), ["invalid_inject_annotation_at_workload"]);
}

// Cases 6 and 78.
#[test]
fn ingress_mode_is_inherited_unless_the_pod_has_its_own_annotation() {
    let ingress = || pod().on_namespace("linkerd.io/inject", "ingress");
    assert_eq!(ingress().injected().proxy_env("INGRESS_MODE"), Some("true"));
    assert_eq!(ingress().on_pod("linkerd.io/inject", "enabled").injected().proxy_env("INGRESS_MODE"), None);
    let injected = pod().on_pod("linkerd.io/inject", "").injected();
    assert_eq!(injected.annotation("linkerd.io/inject"), Some(""));
}

// Cases 7 and 9.
#[test]
fn every_reason_is_reported_in_order() {
    let host = || pod().spec("hostNetwork", json!(true));
    assert_eq!(host().skipped(), ["host_network_enabled"]);
    let reasons = host().on_pod("linkerd.io/inject", "disabled").skipped();
    assert_eq!(reasons, ["host_network_enabled", "injection_disable_annotation_present"]);
    let reasons = host().container("name", json!("linkerd-proxy")).without_namespace_annotations().skipped();
    assert_eq!(reasons, ["host_network_enabled", "sidecar_already_exists", "injection_enable_annotation_absent"]);
}

// Case 8.
#[test]
fn a_pod_that_has_a_proxy_is_left_alone() {
    for (name, image) in
        [("istio-proxy", "x"), ("x", "gcr.io/istio-release/proxyv2:x"), ("x", "cr.l5d.io/linkerd/proxy:1")]
    {
        let case = pod().container("name", json!(name)).container("image", json!(image));
        assert_eq!(case.skipped(), ["sidecar_already_exists"], "{name} {image}");
    }
    for (name, image) in
        [("linkerd-init", "x"), ("istio-init", "x"), ("linkerd-proxy", "x"), ("x", "cr.l5d.io/linkerd/proxy-init:1")]
    {
        let case = pod().init_container(json!({ "name": name, "image": image }));
        assert_eq!(case.skipped(), ["sidecar_already_exists"], "{name} {image}");
    }
}

// Case 10.
#[test]
fn a_pod_without_a_token_is_left_alone_only_without_projection() {
    let no_mount = || pod().spec("automountServiceAccountToken", json!(false));
    assert!(no_mount().injected().warnings.is_empty());
    let without = "identity: {serviceAccountTokenProjection: false}";
    let code = ["disabled_automount_service_account_token_account"];
    let mount =
        json!([{ "name": "t", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true }]);
    assert_eq!(no_mount().values(without).container("volumeMounts", mount.clone()).skipped(), code);
    assert_eq!(pod().values(without).skipped(), code);
    let injected = pod().values(without).container("volumeMounts", mount.clone()).injected();
    assert_eq!(injected.proxy_env("IDENTITY_TOKEN_FILE"), Some("/var/run/secrets/kubernetes.io/serviceaccount/token"));
    assert!(injected.proxy()["volumeMounts"].as_array().unwrap().contains(&mount[0]));
    assert!(!injected.names("volumes").contains(&"linkerd-identity-token"));
}

// Case 11.
#[test]
fn udp_ports_do_not_prevent_injection() {
    pod().container("ports", json!([{ "containerPort": 53, "protocol": "UDP" }])).injected();
}

// Cases 22 and 82.
#[test]
fn a_label_names_the_owner_if_it_fits() {
    let injected = pod().owned_by("deployment", "web").injected();
    assert_eq!(injected.label("linkerd.io/proxy-deployment"), Some("web"));
    assert_eq!(injected.label("linkerd.io/control-plane-ns"), Some("linkerd"));
    assert_eq!(injected.label("linkerd.io/workload-ns"), Some("emojivoto"));
    let injected = pod().owned_by("cronjob", "tick").injected();
    assert_eq!(injected.label("linkerd.io/proxy-cronjob"), Some("tick"));
    assert_eq!(pod().injected().pod["metadata"]["labels"].as_object().unwrap().len(), 2);
    let injected = pod().owned_by("daemonset", &"a".repeat(70)).injected();
    assert_eq!(injected.label("linkerd.io/proxy-daemonset"), None);
    assert_eq!(injected.warnings.len(), 1);
}

// Case 25.
#[test]
fn a_pod_records_what_it_was_injected_with() {
    let injected = pod().injected();
    assert_eq!(injected.annotation("linkerd.io/trust-root-sha256"), Some(config("").anchors.sha256()));
    assert_eq!(injected.annotation("linkerd.io/proxy-version"), Some(crate::VERSION));
    let created_by = format!("linkerd/proxy-injector {}", crate::VERSION);
    assert_eq!(injected.annotation("linkerd.io/created-by"), Some(created_by.as_str()));
    assert_eq!(injected.proxy_env("IDENTITY_TRUST_ANCHORS"), Some(format!("{}\n", ANCHORS.trim()).as_str()));
}

#[test]
fn a_name_that_would_be_there_twice_is_refused() {
    let debug = pod().on_pod("enable-debug-sidecar", "true").container("name", json!("linkerd-debug"));
    assert!(debug.rejected().contains("container named linkerd-debug"));
    pod().container("name", json!("linkerd-debug")).injected();
    let volume = pod().spec("volumes", json!([{ "name": "linkerd-identity-end-entity", "emptyDir": {} }]));
    assert!(volume.rejected().contains("volume named linkerd-identity-end-entity"));
}

#[test]
fn an_identity_that_cannot_be_certified_is_refused() {
    let message = pod().spec("serviceAccountName", json!("a".repeat(64))).rejected();
    assert!(message.contains("shorter name"), "{message}");
}

#[test]
fn kinds_without_rules_and_objects_of_another_shape_are_told_apart() {
    let (config, owner) = (config(""), Owner::pod(""));
    let run = |kind, object: Value| mutate(&config, &Namespace::default(), &owner, kind, &object);
    let skipped = Action::Skip(vec![SkipReason::UnsupportedResource]);
    assert_eq!(run("ConfigMap", json!({})).unwrap().action, skipped);
    assert!(run("Pod", json!([])).is_err());
    assert!(run("Pod", json!({ "metadata": { "annotations": { "a": 1 } } })).is_err());
    assert!(run("Service", json!(1)).is_err());
}
