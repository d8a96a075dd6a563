//! `linkerd install` renders what the real `helm template` renders, and a real API server takes it.

#[path = "install/api_server.rs"]
mod api_server;
#[path = "install/rendering.rs"]
mod rendering;

use rendering::{Credentials, Objects, helm, linkerd, linkerd_refuses};

/// Values in the form that both programs take.
type Case = (&'static str, &'static [&'static str]);

/// Each changes what the templates decide by.
const CASES: &[Case] = &[
    ("defaults", &[]),
    ("IPv6, and other domains", &["--set", "disableIPv6=false,clusterDomain=c.example,identityTrustDomain=t.example"]),
    ("service account tokens", &["--set", "identity.serviceAccountTokenProjection=false"]),
    (
        "an issuer of cert-manager",
        &["--set", "identity.issuer.scheme=kubernetes.io/tls,identity.issuer.tls.crtPEM=,identity.issuer.tls.keyPEM="],
    ),
    ("trust anchors of somebody else", &["--set", "identity.externalCA=true,identityTrustAnchorsPEM="]),
    (
        "labels and annotations",
        &[
            "--set",
            r"commonLabels.a=b,podLabels.c=d,podAnnotations.e=1,destinationController.podAnnotations.e=2",
            "--set-string",
            r"commonLabels.config\.linkerd\.io/y=yes,podAnnotations.n=012",
        ],
    ),
    (
        "scheduling",
        &[
            "--set",
            "priorityClassName=high,runtimeClassName=gvisor,enablePodAntiAffinity=true,enablePodDisruptionBudget=true",
            "--set",
            "tolerations[0].key=k,tolerations[0].operator=Exists,nodeSelector.zone=1a,imagePullSecrets[0].name=pull",
            "--set",
            "controller.podDisruptionBudget.maxUnavailable=25%",
        ],
    ),
    ("users and groups", &["--set", "controllerUID=1000,controllerGID=1234,proxy.gid=4321"]),
    (
        "images",
        &[
            "--set",
            "imageRegistry=r.example/l5d/,controllerImageVersion=v1,imagePullPolicy=Always",
            "--set",
            "policyController.image.name=p,policyController.image.version=7,policyController.image.pullPolicy=Never",
        ],
    ),
    (
        "flags and environment",
        &[
            "--set",
            "destinationController.additionalArgs={--ext-endpoint-zone-weights},destinationController.additionalEnv[0].name=A",
            "--set-string",
            "destinationController.additionalEnv[0].value=1,policyController.experimentalEnv[0].name=y",
        ],
    ),
    (
        "resources",
        &[
            "--set",
            "identityResources.cpu.request=100m,identityResources.memory.limit=1Gi,destinationResources.cpu.limit=2",
            "--set",
            "policyController.resources.ephemeral-storage.request=1Gi,identity.livenessProbe.timeoutSeconds=5",
        ],
    ),
    (
        "webhook certificates in the values",
        &[
            "--set",
            "proxyInjector.crtPEM=c,proxyInjector.keyPEM=k,profileValidator.crtPEM=c,profileValidator.keyPEM=k",
            "--set",
            "profileValidator.caBundle=authority,webhookFailurePolicy=Fail,proxyInjector.timeoutSeconds=3",
        ],
    ),
    (
        "webhook certificates of cert-manager",
        &[
            "--set",
            "proxyInjector.externalSecret=true,proxyInjector.injectCaFrom=l/c,profileValidator.externalSecret=true",
            "--set",
            "profileValidator.injectCaFromSecret=l/s,policyValidator.externalSecret=true,policyValidator.caBundle=x,\
             policyValidator.enabled=true",
        ],
    ),
    (
        "readers and monitors",
        &[
            "--set",
            "configReaders[0].name=a,configReaders[0].namespace=y,configReaders[1].name=b,configReaders[1].namespace=n",
            "--set",
            "podMonitor.enabled=true,podMonitor.labels.release=p,podMonitor.serviceMirror.enabled=false",
        ],
    ),
    (
        "removed defaults",
        &[
            "--set",
            "policyController.probeNetworks=null,proxyInjector.objectSelector=null,nodeSelector=null,proxy.cores=2",
        ],
    ),
    ("admission of policies", &["--set", "policyValidator.enabled=true,disableIPv6=false"]),
    ("values that no template knows", &["--set", "unknown.deep[1].x={y,1,null},proxy.resources.cpu.limit=1"]),
    (
        "whole numbers in other forms",
        &["--set", "controllerReplicas=5,proxyInit.closeWaitTimeoutSecs=10,proxyInit.runAsRoot=true"],
    ),
];

#[test]
fn the_same_values_give_the_same_objects_as_with_helm() {
    let credentials = Credentials::make();
    for (name, values) in CASES {
        let values = [&credentials.flags(), *values].concat();
        let (ours, helms) = (linkerd(&values), helm("linkerd-control-plane", &values));
        ours.assert_same(&helms, name);
    }
}

#[test]
fn files_of_values_give_the_same_objects_as_with_helm() {
    let credentials = Credentials::make();
    let (first, second) = (credentials.file("first.yaml", FIRST), credentials.file("second.yaml", SECOND));
    let files = ["--values", first.as_str(), "-f", second.as_str(), "--set", "controllerReplicas=2"];
    let values = [&credentials.flags(), &files[..]].concat();
    linkerd(&values).assert_same(&helm("linkerd-control-plane", &values), "two files");
}

const FIRST: &str = "
controllerReplicas: 7
controllerLogLevel: warn
podAnnotations: {a: '1', b: 'on'}
proxy: {await: false, resources: {cpu: {request: 100m}}, logHTTPHeaders: 'insecure'}
proxyInjector:
  timeoutSeconds: 15
";
const SECOND: &str = "
podAnnotations: {b: null, c: \"x: y\"}
proxy:
  resources: {cpu: {limit: 2}}
tolerations: [{operator: Exists}]
policyController: {probeNetworks: [10.0.0.0/8]}
";

#[test]
fn high_availability_is_that_of_the_chart() {
    let credentials = Credentials::make();
    let ha = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/linkerd-control-plane/values-ha.yaml");
    let flags = credentials.flags();
    let ours = linkerd(&[&flags, &["--ha"][..]].concat());
    ours.assert_same(&helm("linkerd-control-plane", &[&flags, &["--values", ha][..]].concat()), "--ha");
    let ours = linkerd(&[&flags, &["--ha", "--controller-replicas=2"][..]].concat());
    assert_eq!(ours.get("Deployment", "linkerd-policy")["spec"]["replicas"], 2);
}

#[test]
fn options_give_what_their_values_give_with_helm() {
    let credentials = Credentials::make();
    let options = [
        "--cluster-domain=c.example --identity-trust-domain t --controller-gid 5 --disable-h2-upgrade",
        "--proxy-cpu-request 100m --proxy-cpu-limit 2 --admin-port 1 --skip-inbound-ports 22,80-90",
    ];
    let options: Vec<&str> = options.iter().flat_map(|line| line.split(' ')).collect();
    let values = [
        "--set",
        "clusterDomain=c.example,identityTrustDomain=t,controllerGID=5,enableH2Upgrade=false,proxy.ports.admin=1",
        "--set",
        r"proxy.resources.cpu.request=100m,proxyInit.ignoreInboundPorts=22\,80-90,proxy.runtime.workers.maximum=2",
        "--set-string",
        "proxy.resources.cpu.limit=2",
    ];
    let flags = credentials.flags();
    let helms = helm("linkerd-control-plane", &[&flags, &values[..]].concat());
    linkerd(&[&flags, &options[..]].concat()).assert_same(&helms, "options");
}

#[test]
fn the_definitions_are_those_of_the_chart() {
    let ours = linkerd(&["--crds"]);
    ours.assert_same(&helm("linkerd-crds", &[]), "linkerd-crds");
    assert_eq!(ours.kinds(), ["CustomResourceDefinition"]);
}

#[test]
fn json_holds_the_objects_of_yaml() {
    let credentials = Credentials::make();
    let flags = credentials.flags();
    let yaml = linkerd(&flags);
    let json = linkerd(&[&flags, &["-o", "json"][..]].concat());
    assert_eq!(json, yaml);
}

// Acceptance cases 9, 16 and 18 of installation, and what is no more.
#[test]
fn values_that_cannot_work_are_refused_as_with_helm() {
    let credentials = Credentials::make();
    let flags = credentials.flags();
    let cases = [
        ("proxyInjector.injectCaFrom=a,proxyInjector.injectCaFromSecret=b", "give injectCaFrom or injectCaFromSecret"),
        ("proxyInjector.externalSecret=true,proxyInjector.injectCaFrom=a,proxyInjector.caBundle=b", "not both"),
        ("policyValidator.enabled=true,policyValidator.externalSecret=true", "with externalSecret, give caBundle"),
        ("profileValidator.injectCaFrom=a", "set externalSecret too"),
        ("profileValidator.crtPEM=a", "crtPEM needs its key in keyPEM"),
        ("profileValidator.caBundle=a", "caBundle needs crtPEM and keyPEM"),
        ("webhookFailurePolicy=Maybe", "must be Ignore or Fail"),
        ("controllerImage=r/controller", "controllerImage: there is no image for all components"),
        ("enablePSP=true", "enablePSP: Kubernetes has no PodSecurityPolicies"),
        ("identity.issuer.scheme=other", "must be linkerd.io/tls or kubernetes.io/tls"),
    ];
    for (values, reason) in cases {
        let values = [&flags, &["--set", values][..]].concat();
        let ours = linkerd_refuses(&values);
        assert!(ours.contains(reason), "{values:?}: {ours}");
        let helms = rendering::helm_refuses("linkerd-control-plane", &values);
        assert!(helms.contains(reason), "{values:?}: {helms}");
    }
    for chart in [&[][..], &["--set", "identityTrustAnchorsPEM=x"]] {
        rendering::helm_refuses("linkerd-control-plane", chart);
    }
}

// Acceptance cases 27, 28 and 29 of installation.
#[test]
fn options_that_cannot_work_are_refused_before_anything_is_printed() {
    let credentials = Credentials::make();
    let anchors = credentials.anchors();
    let cases: [(&[&str], &str); 9] = [
        (&["--identity-trust-anchors-file", &anchors], "a certificate file must be specified"),
        (&["--identity-external-issuer"], "ca.crt"),
        (&["--set", "clusterNetworks=wrong"], "\"wrong\" is not a network"),
        (&["--default-inbound-policy", "everybody"], "everybody"),
        (&["--skip-inbound-ports=-25"], "proxyInit.ignoreInboundPorts"),
        (&["--proxy-log-level", "bad%name"], "proxy.logLevel"),
        (&["--controller-log-level", "linkerd=foobar"], "controllerLogLevel"),
        (&["--set", "identity.issuer.issuanceLifetime=soon"], "--identity-issuance-lifetime"),
        (&["--set", "identityResources.cpu.request=2,identityResources.cpu.limit=1"], "above the limit"),
    ];
    for (options, reason) in cases {
        let said = linkerd_refuses(options);
        assert!(said.contains(reason), "{options:?}: {said}");
    }
}

// Acceptance cases 1, 12 and 13 of installation.
#[test]
fn credentials_are_made_and_stored_and_keys_are_in_secrets_alone() {
    let objects = linkerd(&["--linkerd-namespace=l5d"]);
    let names = objects.in_order();
    assert_eq!(names.first().map(String::as_str), Some("Namespace l5d"));
    assert_eq!(names.last().map(String::as_str), Some("Secret linkerd-config-overrides"));
    let stored = objects.stored();
    let tls = &stored["identity"]["issuer"]["tls"];
    let key = tls["keyPEM"].as_str().expect("a key");
    assert!(key.contains("PRIVATE KEY") && stored["identityTrustAnchorsPEM"].is_string());
    assert_eq!(stored.as_object().expect("a map").len(), 2, "only what differs from the defaults is stored");
    let public = objects.without_secrets();
    assert!(!public.contains("PRIVATE KEY") && !public.contains("keyPEM"), "a key is not in a Secret");
    let values = objects.config();
    assert_eq!(values["identityTrustDomain"], "cluster.local");
    assert_eq!(values["identity"]["issuer"]["tls"]["crtPEM"], tls["crtPEM"]);
}

#[test]
fn values_without_effect_are_named() {
    let values = "disableHeartBeat=true,identityProxyResources.cpu.request=1,controller.tracing.enabled=true";
    let said = rendering::linkerd_says(&["--set", values]);
    assert!(said.contains("identityProxyResources: ") && said.contains("controller.tracing: "), "{said}");
    assert!(!said.contains("eart"), "{said}");
    assert_eq!(rendering::linkerd_says(&[]), "");
}

// Acceptance case 25 of the proxy's contract, and the Services that proxies look up.
#[test]
fn each_headless_service_has_one_port_and_selects_one_component() {
    let objects: Objects = linkerd(&[]);
    let services = [
        ("linkerd-identity-headless", 8080, "identity"),
        ("linkerd-dst-headless", 8086, "destination"),
        ("linkerd-policy", 8090, "policy"),
    ];
    for (name, port, component) in services {
        let spec = &objects.get("Service", name)["spec"];
        assert_eq!(spec["clusterIP"], "None", "{name}");
        assert_eq!(spec["ports"].as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!((&spec["ports"][0]["port"], &spec["ports"][0]["name"]), (&port.into(), &"grpc".into()), "{name}");
        assert_eq!(spec["selector"]["linkerd.io/control-plane-component"], component, "{name}");
    }
    for deployment in ["linkerd-destination", "linkerd-policy"] {
        let account = &objects.get("Deployment", deployment)["spec"]["template"]["spec"]["serviceAccountName"];
        assert_eq!(account, "linkerd-destination", "{deployment}: proxies verify it under this name");
    }
}

#[test]
fn values_that_were_stored_give_helm_the_same_objects() {
    let credentials = Credentials::make();
    let texts = [
        "y",
        "No",
        "012",
        "1_000",
        "1e3",
        "0x1f",
        "12:30",
        "2001-01-01",
        "~",
        " lead",
        "a: b",
        "a #b",
        "%x",
        "@",
        "<<",
        "'",
    ];
    let listed = format!("unknown.list={{{}}},unknown.y=on,podAnnotations.z=null", texts.join(","));
    let flags = [&credentials.flags(), &["--set-string", listed.as_str()][..]].concat();
    let ours = linkerd(&flags);
    let stored = credentials.file("stored.yaml", ours.config_text());
    let issuer_key = [&flags[..2], &["--values", stored.as_str()][..]].concat();
    ours.assert_same(&helm("linkerd-control-plane", &issuer_key), "stored values");
}
