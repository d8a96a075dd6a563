//! Profiles of Services, addresses and hostnames.

use super::world::{World, config};
use crate::{
    core::{config::Config, endpoint::TlsIdentity, profile::Profile},
    fixtures::{
        EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, external, of_external, of_pod, opaque_server, pod,
        profile, service, slice,
    },
};
use linkerd_k8s::{Pod, names::annotation, pod::Phase, ports::PortName};

fn meshed(name: &str, ip: &str) -> Pod {
    pod(name).ip(ip).port("http", 8080).account(name).meshed()
}

fn is_of(profile: &crate::core::profile::EndpointProfile, account: &str) -> bool {
    let name = format!("{account}.ns.serviceaccount.identity.linkerd.trust.domain");
    profile.endpoint.identity == Some(TlsIdentity::Workload(name.as_str().into()))
}

fn is_bare(profile: &crate::core::profile::EndpointProfile) -> bool {
    profile.endpoint == crate::core::endpoint::Endpoint::default()
}

// Case 55.
#[test]
fn the_clients_own_service_profile_goes_first() {
    let world = World::new();
    let own = profile("web", "ns", "route1").with(|profile| profile.metadata.namespace = "client-ns".to_owned());
    let own = own.with(|profile| profile.spec.routes[0].name = "route2".to_owned());
    world.apply(&service("web").port("", 8989)).apply(&profile("web", "ns", "route1")).apply(&own);
    assert_eq!(world.try_profile("web.ns", 8989, "other").unwrap().route().as_deref(), Some("route1"));
    assert_eq!(world.try_profile("web.ns", 8989, "").unwrap().route().as_deref(), Some("route1"));
    let mut client = world.try_profile("web.ns", 8989, "client-ns").unwrap();
    assert_eq!(client.route().as_deref(), Some("route2"));
    // The shadowed one changes nothing.
    world.apply(&profile("web", "ns", "route3"));
    assert!(client.read().is_none());
    world.delete(&own);
    assert_eq!(client.route().as_deref(), Some("route3"));
    world.delete(&profile("web", "ns", ""));
    assert_eq!(client.route(), None);
}

// Cases 56 and 57.
#[test]
fn a_cluster_ip_is_its_service() {
    let world = World::new();
    let web = service("web").port("", 8989).cluster_ip("10.1.0.1").cluster_ip("fd00::1");
    world.apply(&web).apply(&profile("web", "ns", "route1"));
    for ip in ["10.1.0.1", "fd00::1"] {
        let profile = world.profile(ip, 8989).service();
        assert_eq!((&*profile.namespace, &*profile.name, profile.port), ("ns", "web", 8989));
        assert!(profile.source.is_some());
    }
    world.apply(&service("api").port("", 8989).cluster_ip("10.1.0.1"));
    let refusal = world.try_profile("10.1.0.1", 8989, "").err().unwrap();
    assert_eq!(refusal.to_string(), "found 2 services with conflicting cluster IP 10.1.0.1");
}

// Case 58.
#[test]
fn a_port_that_the_service_lacks_has_an_empty_profile_until_it_has_it() {
    let world = World::new();
    world.apply(&service("web").port("", 8989));
    let mut client = world.profile("web.ns", 80);
    assert_eq!(client.read(), Some(Profile::Empty));
    world.apply(&service("web").port("", 8989).port("http", 80));
    assert_eq!(client.service().port, 80);
    world.apply(&service("web").port("", 8989));
    assert_eq!(client.read(), Some(Profile::Empty));
}

#[test]
fn what_does_not_exist_is_refused() {
    let world = World::new();
    let refusal = |name: &str| world.try_profile(name, 80, "").err().unwrap().to_string();
    assert_eq!(refusal("web.ns"), "Service web.ns not found");
    world.apply(&service("alias").external_name().port("", 80)).apply(&service("web"));
    assert_eq!(refusal("alias.ns"), "Service ns/alias is of type ExternalName");
    // Case 68.
    let message = "no pod found in EndpointSlices of Service ns/web for hostname web-0";
    assert_eq!(refusal("web-0.web.ns"), message);
    assert_eq!(refusal("10-0-0-1.web.ns"), message.replace("web-0", "10-0-0-1"));
}

// Case 59.
#[test]
fn services_and_pods_have_their_own_opaque_ports() {
    let world = World::new();
    let web = service("web").port("", 4242).cluster_ip("10.1.0.1");
    world.apply(&meshed("web-0", "10.0.0.1").opaque("4242")).apply(&web);
    assert!(!world.profile("10.1.0.1", 4242).service().is_opaque);
    assert!(world.profile("10.0.0.1", 4242).endpoint().is_opaque);
    world.apply(&web.opaque("4242"));
    assert!(world.profile("10.1.0.1", 4242).service().is_opaque);
}

// Case 60.
#[test]
fn opaque_ports_do_not_depend_on_who_asked_before() {
    let world = World::with(Config { default_opaque_ports: "3306".parse().unwrap(), ..config() });
    world.apply(&service("web").port("", 4242).opaque("4242")).apply(&service("db").port("", 3306));
    for _ in 0..3 {
        assert!(world.profile("web.ns", 4242).service().is_opaque);
        assert!(world.profile("db.ns", 3306).service().is_opaque);
    }
    assert_eq!(world.watched(), (0, 0, 0));
}

// Cases 61 and 86.
#[test]
fn only_effective_changes_of_opaque_ports_are_sent() {
    let world = World::new();
    let web = service("web").port("http", 80);
    world.apply(&web);
    let mut client = world.profile("web.ns", 80);
    assert!(!client.service().is_opaque);
    world.apply(&web.clone().opaque("90"));
    assert!(client.read().is_none());
    world.apply(&web.clone().opaque("90,http"));
    assert!(client.service().is_opaque);
    world.apply(&web.clone().opaque("80"));
    assert!(client.read().is_none());
    world.apply(&web);
    assert!(!client.service().is_opaque);
    world.apply(&web.clone().opaque("80"));
    assert!(client.service().is_opaque);
    world.delete(&web);
    assert!(!client.service().is_opaque);
    world.apply(&web.opaque("80"));
    assert!(client.service().is_opaque);
}

// Case 86.
#[test]
fn an_edit_of_the_metadata_of_a_service_profile_is_not_sent() {
    let world = World::new();
    world.apply(&service("web").port("", 80)).apply(&profile("web", "ns", "route1"));
    let mut client = world.profile("web.ns", 80);
    client.read();
    world.apply(&profile("web", "ns", "route1").annotation(annotation::CREATED_BY, "me").label("a", "b"));
    assert!(client.read().is_none());
}

// Case 62.
#[test]
fn a_pods_address_shows_the_pod() {
    let world = World::new();
    world.apply(&meshed("web-0", "10.0.0.1").ip("fd00::1"));
    for ip in ["10.0.0.1", "fd00::1"] {
        let profile = world.profile(ip, 8080).endpoint();
        assert_eq!(profile.address, std::net::SocketAddr::new(ip.parse().unwrap(), 8080));
        assert!(is_of(&profile, "web-0") && profile.endpoint.hint.is_some());
        assert_eq!(profile.endpoint.labels.get("namespace"), Some("ns"));
        assert_eq!(profile.endpoint.labels.get("zone"), Some(""));
    }
}

// Case 63.
#[test]
fn a_pod_is_shown_while_it_runs() {
    let world = World::new();
    let web_0 = meshed("web-0", "10.0.0.1");
    world.apply(&web_0.clone().phase(Phase::Pending));
    let mut client = world.profile("10.0.0.1", 8080);
    assert!(is_bare(&client.endpoint()));
    world.apply(&web_0);
    assert!(is_of(&client.endpoint(), "web-0"));
    world.apply(&web_0.clone().label("edited", "yes"));
    assert!(client.read().is_none());
    world.delete(&web_0);
    assert!(is_bare(&client.endpoint()));
}

// Case 64.
#[test]
fn an_unknown_address_has_a_bare_endpoint() {
    let world = World::with(Config { default_opaque_ports: "3306".parse().unwrap(), ..config() });
    let mut client = world.profile("192.0.2.1", 1234);
    let profile = client.endpoint();
    assert!(is_bare(&profile) && !profile.is_opaque);
    let opaque = world.profile("192.0.2.1", 3306).endpoint();
    assert!(is_bare(&opaque) && opaque.is_opaque);
    // It may turn out to be a Service's, and no longer be.
    let web = service("web").port("", 1234).cluster_ip("192.0.2.1");
    world.apply(&web);
    assert_eq!(&*client.service().name, "web");
    world.apply(&profile_of_web());
    assert_eq!(client.route().as_deref(), Some("late"));
    world.delete(&web);
    assert!(is_bare(&client.endpoint()));
}

fn profile_of_web() -> linkerd_k8s::ServiceProfile {
    profile("web", "ns", "late")
}

// Case 65.
#[test]
fn a_reused_ip_never_serves_the_old_identity() {
    let world = World::new();
    world.apply(&meshed("done", "10.0.0.1").phase(Phase::Succeeded));
    world.apply(&meshed("failed", "10.0.0.1").phase(Phase::Failed));
    let stopping = meshed("stopping", "10.0.0.1")
        .with(|pod| pod.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap()));
    world.apply(&stopping).apply(&meshed("new", "10.0.0.1"));
    world.apply(&meshed("hosted", "10.0.0.1").with(|pod| pod.spec.host_network = true));
    let mut client = world.profile("10.0.0.1", 8080);
    assert!(is_of(&client.endpoint(), "new"));
    world.delete(&stopping);
    assert!(client.read().is_none());
    world.apply(&meshed("other", "10.0.0.1"));
    let refusal = world.try_profile("10.0.0.1", 8080, "").err().unwrap();
    assert_eq!(refusal.to_string(), "found 2 pods with a conflicting pod network IP 10.0.0.1");
    assert!(is_bare(&client.endpoint()));
    world.delete(&meshed("new", ""));
    assert!(is_of(&client.endpoint(), "other"));
}

// Cases 63 and 65.
#[test]
fn a_pod_that_is_asked_to_end_is_shown_while_it_runs_and_nobody_else_has_its_address() {
    let world = World::new();
    let at = |pod: Pod| pod.with(|pod| pod.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap()));
    world.apply(&meshed("old", "10.0.0.1"));
    let mut client = world.profile("10.0.0.1", 8080);
    client.read();
    world.apply(&at(meshed("old", "10.0.0.1")));
    assert!(client.read().is_none());
    assert!(is_of(&world.profile("10.0.0.1", 8080).endpoint(), "old"));
    world.apply(&meshed("new", "10.0.0.1"));
    assert!(is_of(&client.endpoint(), "new"));
    world.delete(&meshed("new", ""));
    assert!(is_of(&client.endpoint(), "old"));
    world.apply(&at(meshed("old", "10.0.0.1").phase(Phase::Succeeded)));
    assert!(is_bare(&client.endpoint()));
    // Of two that are asked to end, none is known to have it.
    world.apply(&at(meshed("old", "10.0.0.1"))).apply(&at(meshed("other", "10.0.0.1")));
    assert!(is_bare(&world.profile("10.0.0.1", 8080).endpoint()));
    world.apply(&at(meshed("never", "10.0.0.2").phase(Phase::Pending)));
    assert!(is_bare(&world.profile("10.0.0.2", 8080).endpoint()));
}

#[test]
fn an_old_pod_that_leaves_after_its_replacement_came_changes_nothing() {
    let world = World::new();
    let old = meshed("old", "10.0.0.1");
    world.apply(&old);
    let mut client = world.profile("10.0.0.1", 8080);
    assert!(is_of(&client.endpoint(), "old"));
    world.apply(&old.clone().phase(Phase::Succeeded));
    assert!(is_bare(&client.endpoint()));
    world.apply(&meshed("new", "10.0.0.1"));
    assert!(is_of(&client.endpoint(), "new"));
    world.delete(&old);
    assert!(client.read().is_none());
}

// Case 66.
#[test]
fn a_port_of_a_node_shows_the_pod_behind_it() {
    let world = World::new();
    let hosted = |name: &str| {
        let pod = pod(name).host_ip("192.0.2.1").host_ip("2001:db8::1").account(name).label("app", "web").meshed();
        pod.host_port("http", 80, 7777)
    };
    world.apply(&hosted("old"));
    for ip in ["192.0.2.1", "2001:db8::1"] {
        assert!(is_of(&world.profile(ip, 7777).endpoint(), "old"));
    }
    assert!(is_bare(&world.profile("192.0.2.1", 80).endpoint()));
    let mut client = world.profile("192.0.2.1", 7777);
    assert_eq!(client.endpoint().address, "192.0.2.1:7777".parse().unwrap());
    world.delete(&hosted("old"));
    assert!(is_bare(&client.endpoint()));
    world.apply(&hosted("new"));
    assert!(is_of(&client.endpoint(), "new"));
    world.apply(&opaque_server("a", "web", PortName::Name("http".to_owned())));
    assert!(client.endpoint().is_opaque);
    world.apply(&hosted("other"));
    let refusal = world.try_profile("192.0.2.1", 7777, "").err().unwrap();
    assert_eq!(refusal.to_string(), "found 2 pods with a conflicting host network endpoint 192.0.2.1:7777");
}

// Case 84.
#[test]
fn a_pod_on_its_nodes_network_is_found_by_its_declared_ports() {
    let world = World::new();
    let hosted = meshed("web-0", "192.0.2.1").host_ip("192.0.2.1").with(|pod| pod.spec.host_network = true);
    world.apply(&hosted);
    assert!(is_of(&world.profile("192.0.2.1", 8080).endpoint(), "web-0"));
    assert!(is_bare(&world.profile("192.0.2.1", 8081).endpoint()));
}

// Case 83.
#[test]
fn a_meshed_pod_whose_proxy_cannot_be_read_is_shown_plain() {
    let world = World::new();
    world.apply(&meshed("web-0", "10.0.0.1").proxy_env("ADMIN", "nonsense"));
    let profile = world.profile("10.0.0.1", 8080).endpoint();
    assert!(profile.endpoint.hint.is_none() && profile.endpoint.identity.is_none());
    assert_eq!(profile.endpoint.labels.get("pod"), Some("web-0"));
}

#[test]
fn external_workloads_are_found_by_address_and_port() {
    let world = World::new();
    world.apply(&external("vm", "192.0.2.1", 80));
    let mut client = world.profile("192.0.2.1", 80);
    assert!(matches!(client.endpoint().endpoint.identity, Some(TlsIdentity::External { .. })));
    assert!(is_bare(&world.profile("192.0.2.1", 81).endpoint()));
    world.apply(&external("other", "192.0.2.1", 80));
    let refusal = world.try_profile("192.0.2.1", 80, "").err().unwrap();
    assert_eq!(refusal.to_string(), "found 2 externalworkloads with a conflicting ip 192.0.2.1:80");
    world.delete(&external("vm", "", 80)).delete(&external("other", "", 80));
    assert!(is_bare(&client.endpoint()));
}

// Case 68.
#[test]
fn a_hostname_shows_its_pod_ready_or_not_and_follows_it() {
    let world = World::new();
    let db_0 = meshed("db-0", "10.0.0.1");
    let with = |pod: &Pod| slice("db", "s").port("", 80).endpoint(of_pod(pod).hostname("db-0").ready(false));
    world.apply(&service("db").port("", 80)).apply(&db_0).apply(&with(&db_0));
    let mut client = world.profile("db-0.db.ns", 8080);
    let profile = client.endpoint();
    assert!(is_of(&profile, "db-0"));
    assert_eq!(profile.address, "10.0.0.1:8080".parse().unwrap());
    world.delete(&db_0);
    let gone = client.endpoint();
    assert!(is_bare(&gone));
    assert_eq!(gone.address, profile.address);
    let back = meshed("db-0", "10.0.0.2");
    world.apply(&with(&back)).apply(&back);
    let profile = client.endpoint();
    assert!(is_of(&profile, "db-0"));
    assert_eq!(profile.address, "10.0.0.2:8080".parse().unwrap());
}

// Case 49.
#[test]
fn a_hostname_may_be_of_an_endpoint_that_is_no_pod() {
    let world = World::new();
    let vm = external("vm", "192.0.2.1", 80);
    let plain = bare("192.0.2.2").hostname("plain");
    world.apply(&service("db").port("", 80)).apply(&vm);
    world.apply(&slice("db", "s").port("", 80).endpoint(of_external(&vm).hostname("vm")).endpoint(plain));
    let profile = world.profile("vm.db.ns", 80).endpoint();
    assert!(matches!(profile.endpoint.identity, Some(TlsIdentity::External { .. })));
    let profile = world.profile("plain.db.ns", 80).endpoint();
    assert!(is_bare(&profile));
    assert_eq!(profile.address, "192.0.2.2:80".parse().unwrap());
    assert_eq!(world.watched(), (0, 0, 0));
}

// Case 82.
#[test]
fn the_zone_of_a_slice_shows_in_get_alone() {
    let world = World::new();
    let web_0 = meshed("web-0", "10.0.0.1");
    world.apply(&web_0).apply(&service("web").port("", 80));
    world.apply(&slice("web", "s").port("", 80).endpoint(of_pod(&web_0).zone("by-hand")));
    assert_eq!(world.get("web.ns", 80).endpoint("10.0.0.1:80").labels.get("zone"), Some("by-hand"));
    assert_eq!(world.profile("10.0.0.1", 80).endpoint().endpoint.labels.get("zone"), Some(""));
}
