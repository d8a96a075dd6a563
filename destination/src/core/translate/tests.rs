use super::*;
use crate::core::{
    config::Http2Params,
    workload::{ExternalPort, Stage, Template},
};

fn config() -> Config {
    Config { trust_domain: "trust.domain".to_owned(), http2: Some(Http2Params::default()), ..Config::default() }
}

fn meshed_template() -> Template {
    Template {
        service_account: "serviceaccount-name".into(),
        mesh: "linkerd".into(),
        template_hash: "".into(),
        owner: None,
        host_network: false,
        ports: Box::default(),
        opaque: None,
        skipped: PortSet::default(),
        proxy: ProxyPorts { inbound: Some(4143), admin: Some(4191), control: Some(4190) },
    }
}

fn pod_of(template: Template) -> Pod {
    Pod {
        namespace: "ns".into(),
        name: "web-0".into(),
        uid: "".into(),
        node: "".into(),
        ips: Box::default(),
        host_ips: Box::default(),
        stage: Stage::Running,
        labels: Arc::default(),
        template: Arc::new(template),
    }
}

fn translated(config: &Config, port: u16, change: impl FnOnce(&mut Template)) -> Translation {
    let mut template = meshed_template();
    change(&mut template);
    let subject = pod_of(template);
    pod(config, &subject, owner_label(&subject, |_| None), port, false, Found::InSlice { zone: &"west".into() })
}

fn labels(endpoint: &Endpoint) -> Vec<String> {
    endpoint.labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn owner(kind: &str, name: &str) -> Owner {
    Owner { kind: kind.into(), name: name.into(), uid: "".into() }
}

// Case 30.
#[test]
fn a_meshed_pod_has_the_identity_of_its_service_account() {
    let endpoint = translated(&config(), 8080, |_| {}).endpoint;
    let name = "serviceaccount-name.ns.serviceaccount.identity.linkerd.trust.domain";
    assert_eq!(endpoint.identity, Some(TlsIdentity::Workload(name.into())));
    assert_eq!(endpoint.hint, Some(Hint { protocol: Some(Protocol::H2), opaque_transport: None }));
    assert!(endpoint.http2);
    let expected = ["control_plane_ns=linkerd", "pod=web-0", "serviceaccount=serviceaccount-name", "zone=west"];
    assert_eq!(labels(&endpoint), expected);
}

#[test]
fn without_a_trust_domain_there_is_no_identity() {
    let config = Config { trust_domain: String::new(), ..config() };
    let endpoint = translated(&config, 8080, |_| {}).endpoint;
    assert!(endpoint.identity.is_none() && endpoint.hint.is_some());
}

// Case 31.
#[test]
fn a_pod_of_another_control_plane_has_a_hint_but_no_identity() {
    let endpoint = translated(&config(), 8080, |pod| pod.mesh = "other".into()).endpoint;
    assert!(endpoint.hint.is_some() && endpoint.http2 && endpoint.identity.is_none());
}

// Case 32.
#[test]
fn a_pod_outside_of_the_mesh_has_nothing_even_on_an_opaque_port() {
    let config = Config { default_opaque_ports: "3306".parse().unwrap(), force_opaque_transport: true, ..config() };
    let translation = translated(&config, 3306, |pod| pod.mesh = "".into());
    let endpoint = translation.endpoint;
    assert!(endpoint.hint.is_none() && endpoint.identity.is_none() && !endpoint.http2);
    assert!(translation.is_opaque);
}

// Case 33.
#[test]
fn a_port_that_bypasses_the_proxy_is_as_if_there_were_none() {
    let skip = |pod: &mut Template| pod.skipped = "24224,25000-26000".parse().unwrap();
    for port in [24224, 25999] {
        let endpoint = translated(&config(), port, skip).endpoint;
        assert!(endpoint.hint.is_none() && endpoint.identity.is_none() && !endpoint.http2);
    }
    assert!(translated(&config(), 8080, skip).endpoint.identity.is_some());
}

// Case 34.
#[test]
fn forced_transport_goes_to_the_inbound_port_but_not_for_the_proxys_own_ports() {
    let config = Config { force_opaque_transport: true, ..config() };
    let hint =
        |port, inbound| translated(&config, port, |pod| pod.proxy.inbound = Some(inbound)).endpoint.hint.unwrap();
    assert_eq!(hint(8080, 4143), Hint { protocol: Some(Protocol::H2), opaque_transport: Some(4143) });
    assert_eq!(hint(8080, 5143).opaque_transport, Some(5143));
    for own in [4190, 4191] {
        assert_eq!(hint(own, 4143), Hint { protocol: Some(Protocol::H2), opaque_transport: None });
    }
}

// Case 35.
#[test]
fn an_opaque_port_is_reached_through_the_inbound_port() {
    let translation = translated(&config(), 4, |pod| pod.opaque = Some("4".parse().unwrap()));
    let hint = Hint { protocol: Some(Protocol::Opaque), opaque_transport: Some(4143) };
    assert_eq!((translation.endpoint.hint, translation.is_opaque), (Some(hint), true));
}

// Case 37.
#[test]
fn an_empty_annotation_means_no_opaque_ports() {
    let config = Config { default_opaque_ports: "3306".parse().unwrap(), ..config() };
    assert!(translated(&config, 3306, |_| {}).is_opaque);
    assert!(!translated(&config, 3306, |pod| pod.opaque = Some(PortSet::default())).is_opaque);
}

// Case 42.
#[test]
fn client_parameters_are_for_meshed_endpoints_if_there_are_any() {
    assert!(!translated(&Config { http2: None, ..config() }, 80, |_| {}).endpoint.http2);
    assert!(!translated(&config(), 80, |pod| pod.mesh = "".into()).endpoint.http2);
}

#[test]
fn without_h2_upgrade_the_hint_has_no_protocol() {
    let config = Config { h2_upgrade: false, ..config() };
    assert_eq!(translated(&config, 80, |_| {}).endpoint.hint, Some(Hint::default()));
}

#[test]
fn a_pod_whose_proxy_cannot_be_read_is_as_if_it_had_none() {
    let opaque = Some("4".parse().unwrap());
    let plain = |endpoint: Endpoint| endpoint.hint.is_none() && endpoint.identity.is_none() && !endpoint.http2;
    assert!(plain(translated(&config(), 80, |pod| pod.proxy.admin = None).endpoint));
    assert!(plain(translated(&config(), 80, |pod| pod.proxy.control = None).endpoint));
    let without_inbound = |pod: &mut Template| (pod.proxy.inbound, pod.opaque) = (None, opaque.clone());
    assert!(plain(translated(&config(), 4, without_inbound).endpoint));
    assert!(translated(&config(), 80, without_inbound).endpoint.identity.is_some());
}

// Case 38.
#[test]
fn labels_show_the_owner_above_the_one_that_made_the_pod() {
    let shown = |own: Option<(&str, &str)>, above: Option<(&str, &str)>| {
        let above = above.map(|(kind, name)| owner(kind, name));
        let own = own.map(|(kind, name)| owner(kind, name));
        let subject = pod_of(Template { owner: own, mesh: "".into(), ..meshed_template() });
        let label = owner_label(&subject, |_| above.as_ref());
        let endpoint = pod(&config(), &subject, label, 80, false, Found::ByAddress).endpoint;
        let fixed = ["namespace=ns", "serviceaccount=serviceaccount-name", "zone="];
        let rest = labels(&endpoint).into_iter().filter(|label| !fixed.contains(&label.as_str()));
        rest.collect::<Vec<_>>().join(" ")
    };
    let set = Some(("ReplicaSet", "web-1"));
    assert_eq!(shown(set, Some(("Deployment", "web"))), "deployment=web pod=web-0");
    assert_eq!(shown(set, Some(("deployment", "web"))), "deployment=web pod=web-0");
    assert_eq!(shown(set, Some(("Rollout", "web"))), "pod=web-0 replicaset=web-1");
    assert_eq!(shown(set, None), "pod=web-0 replicaset=web-1");
    assert_eq!(shown(Some(("Job", "night-1")), None), "k8s_job=night-1 pod=web-0");
    assert_eq!(shown(Some(("Job", "night-1")), Some(("CronJob", "night"))), "cronjob=night pod=web-0");
    assert_eq!(shown(Some(("StatefulSet", "db")), None), "pod=web-0 statefulset=db");
    assert_eq!(shown(Some(("GameServer", "g")), None), "gameserver=g pod=web-0");
    assert_eq!(shown(None, None), "pod=web-0");
}

#[test]
fn found_by_address_an_endpoint_has_its_namespace_and_no_zone() {
    let subject = pod_of(Template { template_hash: "abc".into(), ..meshed_template() });
    let endpoint = pod(&config(), &subject, owner_label(&subject, |_| None), 80, false, Found::ByAddress).endpoint;
    let expected = [
        "control_plane_ns=linkerd",
        "namespace=ns",
        "pod=web-0",
        "pod_template_hash=abc",
        "serviceaccount=serviceaccount-name",
        "zone=",
    ];
    assert_eq!(labels(&endpoint), expected);
}

fn workload(ports: &[(&str, u16)]) -> External {
    External {
        namespace: "ns".into(),
        name: "vm".into(),
        uid: "".into(),
        ips: Box::default(),
        labels: Default::default(),
        owner: Some(owner("WorkloadGroup", "vms")),
        ports: ports.iter().map(|(name, port)| ExternalPort { name: (*name).into(), port: *port }).collect(),
        opaque: None,
        identity: "spiffe://trust.domain/vm".into(),
        server_name: "vm.example.com".into(),
    }
}

// Case 43.
#[test]
fn an_external_workload_has_a_uri_identity_and_a_hint() {
    let config = Config { h2_upgrade: false, ..config() };
    let zone = "east".into();
    let translation = external(&config, &workload(&[]), 80, false, Found::InSlice { zone: &zone });
    let endpoint = translation.endpoint;
    let (uri, server_name) = ("spiffe://trust.domain/vm".into(), "vm.example.com".into());
    assert_eq!(endpoint.identity, Some(TlsIdentity::External { uri, server_name }));
    assert_eq!(endpoint.hint, Some(Hint { protocol: Some(Protocol::H2), opaque_transport: None }));
    assert_eq!(labels(&endpoint), ["external_workload=vm", "workloadgroup=vms", "zone=east"]);
    assert!(endpoint.http2);
    let forced = Config { force_opaque_transport: true, ..config.clone() };
    let transport = |ports| external(&forced, &workload(ports), 80, false, Found::ByAddress).endpoint.hint.unwrap();
    assert_eq!(transport(&[]).opaque_transport, Some(4143));
    assert_eq!(transport(&[("linkerd-proxy", 4999)]).opaque_transport, Some(4999));
    let by_server = external(&config, &workload(&[]), 80, true, Found::ByAddress);
    assert_eq!(by_server.endpoint.hint.unwrap().protocol, Some(Protocol::Opaque));
    assert!(by_server.is_opaque);
}

// Case 44.
#[test]
fn a_gateway_has_an_identity_without_server_name_and_an_authority() {
    let gateway = bare(&config(), Some(&"gateway".into()), Some("web.ns.svc.remote:8989".into()));
    assert_eq!(gateway.identity, Some(TlsIdentity::Gateway("gateway".into())));
    assert_eq!(gateway.hint, Some(Hint { protocol: Some(Protocol::H2), opaque_transport: None }));
    assert!(gateway.http2);
    let plain = bare(&config(), None, Some("web.ns.svc.remote:8989".into()));
    assert!(plain.identity.is_none() && plain.hint.is_none() && !plain.http2 && plain.authority.is_some());
}
