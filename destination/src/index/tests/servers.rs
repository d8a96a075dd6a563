//! Servers that make ports opaque, in both kinds of streams.

use super::world::World;
use crate::{
    core::endpoint::Protocol,
    fixtures::{Named, PodExt, ServiceExt, SliceExt, external, opaque_server, pod, selector, service, slice},
};
use linkerd_k8s::{LabelSelector, Pod, Server, policy::ProxyProtocol, ports::PortName};

/// A meshed pod `web-0` with label `app: web` and port `http` 8080, behind Service `web`.
fn world() -> (World, Pod) {
    let world = World::new();
    let web_0 = pod("web-0").ip("10.0.0.1").label("app", "web").port("http", 8080).meshed();
    world.apply(&web_0).apply(&service("web").port("", 80));
    world.apply(&slice("web", "s").port("", 8080).pods([&web_0]));
    (world, web_0)
}

fn by_name(name: &str) -> Server {
    opaque_server(name, "web", PortName::Name("http".to_owned()))
}

/// Whether the address is opaque in `Get` and in `GetProfile`, and that both agree.
fn is_opaque(world: &World) -> bool {
    let endpoint = world.get("web.ns", 80).endpoint("10.0.0.1:8080");
    let profile = world.profile("10.0.0.1", 8080).endpoint();
    let by_get = endpoint.hint.unwrap().protocol == Some(Protocol::Opaque);
    assert_eq!(by_get, profile.is_opaque);
    assert_eq!(by_get, endpoint.hint.unwrap().opaque_transport.is_some());
    by_get
}

// Cases 39 and 85.
#[test]
fn a_server_makes_its_port_opaque_while_it_selects_the_pod() {
    let (world, _) = world();
    let (mut client, mut profile) = (world.get("web.ns", 80), world.profile("10.0.0.1", 8080));
    client.read();
    profile.read();
    let mut expect = |opaque: bool| {
        assert_eq!(client.read(), ["add 10.0.0.1:8080"]);
        assert_eq!(profile.endpoint().is_opaque, opaque);
        assert_eq!(is_opaque(&world), opaque);
    };
    world.apply(&by_name("a"));
    expect(true);
    world.apply(&by_name("a").with(|server| server.spec.pod_selector = Some(selector(&[("app", "other")]))));
    expect(false);
    world.apply(&by_name("a"));
    expect(true);
    world.apply(&by_name("a").with(|server| server.spec.proxy_protocol = ProxyProtocol::Http1));
    expect(false);
    world.apply(&opaque_server("a", "web", PortName::Number(8080)));
    expect(true);
    world.delete(&by_name("a"));
    expect(false);
}

// Case 40.
#[test]
fn of_two_servers_one_is_enough() {
    let (world, _) = world();
    world.apply(&by_name("a")).apply(&opaque_server("b", "web", PortName::Number(8080)));
    let mut client = world.get("web.ns", 80);
    client.read();
    world.delete(&by_name("a"));
    assert!(client.read().is_empty());
    assert!(is_opaque(&world));
    world.delete(&by_name("b"));
    assert!(!is_opaque(&world));
}

// Case 41.
#[test]
fn a_server_of_another_namespace_has_no_say() {
    let (world, _) = world();
    world.apply(&by_name("a").namespace("other"));
    assert!(!is_opaque(&world));
}

// Case 78.
#[test]
fn an_absent_selector_selects_nothing_and_an_empty_one_everything() {
    let (world, _) = world();
    world.apply(&by_name("a").with(|server| server.spec.pod_selector = None));
    assert!(!is_opaque(&world));
    world.apply(&by_name("a").with(|server| server.spec.pod_selector = Some(LabelSelector::default())));
    assert!(is_opaque(&world));
}

// Case 36.
#[test]
fn annotations_may_name_ports_of_any_container() {
    let (world, web_0) = world();
    world.apply(&web_0.clone().opaque("sidecar,http"));
    assert!(is_opaque(&world));
    let with_sidecar = web_0.clone().with(|pod| {
        pod.spec.init_containers = pod.spec.containers.split_off(0);
    });
    world.apply(&with_sidecar.opaque("sidecar,http"));
    assert!(is_opaque(&world));
    world.apply(&web_0.opaque("sidecar"));
    assert!(!is_opaque(&world));
}

// Case 67.
#[test]
fn external_workloads_have_servers_and_annotations_too() {
    let world = World::new();
    let vm = external("vm", "192.0.2.1", 80).label("app", "web");
    world.apply(&vm);
    let mut profile = world.profile("192.0.2.1", 80);
    assert!(!profile.endpoint().is_opaque);
    world.apply(&vm.clone().opaque("app"));
    let opaque = profile.endpoint();
    let hint = opaque.endpoint.hint.unwrap();
    assert!(opaque.is_opaque);
    assert_eq!((hint.protocol, hint.opaque_transport), (Some(Protocol::Opaque), Some(4143)));
    world.apply(&vm);
    assert!(!profile.endpoint().is_opaque);
    let server = opaque_server("a", "web", PortName::Name("app".to_owned())).with(|server| {
        server.spec.external_workload_selector = server.spec.pod_selector.take();
    });
    world.apply(&server);
    assert!(profile.endpoint().is_opaque);
    world.delete(&server);
    assert!(!profile.endpoint().is_opaque);
}
