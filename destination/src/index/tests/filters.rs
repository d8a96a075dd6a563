//! Which endpoints a client on a node gets.

use super::world::{World, config};
use crate::{
    core::{config::Config, endpoint::Locality},
    fixtures::{EndpointExt, PodExt, ServiceExt, SliceExt, bare, node, of_pod, pod, service, slice},
};
use linkerd_k8s::EndpointSlice;

/// Two pods of `web` in the zones and on the nodes `1` and `2`, and an empty slice.
fn two_zones() -> (World, EndpointSlice) {
    let world = World::new();
    world.apply(&node("node-1", "zone-1")).apply(&node("node-2", "zone-2"));
    for i in 1..3 {
        world.apply(&pod(&format!("web-{i}")).ip(&format!("10.0.0.{i}")).on(&format!("node-{i}")));
    }
    world.apply(&service("web").port("", 80));
    (world, slice("web", "s").port("", 80))
}

fn endpoint(i: usize) -> linkerd_k8s::endpoint_slice::Endpoint {
    of_pod(&pod(&format!("web-{i}")).ip(&format!("10.0.0.{i}"))).zone(&format!("zone-{i}"))
}

fn hinted(i: usize) -> linkerd_k8s::endpoint_slice::Endpoint {
    endpoint(i).for_zones(&[&format!("zone-{i}")])
}

// Case 24.
#[test]
fn a_hint_keeps_the_endpoints_of_other_zones_away() {
    let (world, slice) = two_zones();
    world.apply(&slice.clone().endpoint(hinted(1)).endpoint(hinted(2)));
    let mut client = world.get_from("web.ns", 80, "node-1");
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
    world.apply(&slice.endpoint(hinted(1)));
    assert!(client.read().is_empty());
}

// Cases 25 and 26.
#[test]
fn hints_come_and_go_without_a_gap() {
    let (world, slice) = two_zones();
    world.apply(&slice.clone().endpoint(hinted(1)).endpoint(endpoint(2)));
    let mut client = world.get_from("web.ns", 80, "node-1");
    assert_eq!(client.read(), ["add 10.0.0.1:80 10.0.0.2:80"]);
    assert_eq!(world.get_from("web.ns", 80, "nowhere").read(), ["add 10.0.0.1:80 10.0.0.2:80"]);
    world.apply(&slice.clone().endpoint(hinted(2)));
    assert_eq!(client.read(), ["remove 10.0.0.1:80"]);
    world.apply(&slice.endpoint(endpoint(2)));
    assert!(client.read().is_empty());
}

#[test]
fn node_hints_are_followed() {
    let (world, slice) = two_zones();
    world.apply(&slice.clone().endpoint(endpoint(1)).endpoint(endpoint(2)));
    let mut client = world.get_from("web.ns", 80, "node-2");
    assert_eq!(client.read(), ["add 10.0.0.1:80 10.0.0.2:80"]);
    let for_node = |i| endpoint(i).for_nodes(&[&format!("node-{i}")]);
    world.apply(&slice.endpoint(for_node(1)).endpoint(for_node(2)));
    assert_eq!(client.read(), ["remove 10.0.0.1:80"]);
    assert_eq!(world.get_from("web.ns", 80, "node-3").read(), ["add 10.0.0.1:80 10.0.0.2:80"]);
}

// Cases 27 and 28.
#[test]
fn local_traffic_stays_on_the_node() {
    let (world, slice) = two_zones();
    world.apply(&slice.clone().endpoint(endpoint(1)).endpoint(endpoint(2)).endpoint(bare("10.0.0.3")));
    world.apply(&service("web").port("", 80).local_traffic());
    let mut client = world.get_from("web.ns", 80, "node-1");
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
    assert_eq!(world.get_from("web.ns", 80, "node-3").read(), ["empty"]);
    world.apply(&slice.clone().endpoint(endpoint(1)));
    assert!(client.read().is_empty());
    world.apply(&slice.endpoint(endpoint(1)).endpoint(endpoint(2)));
    world.apply(&service("web").port("", 80));
    assert_eq!(client.read(), ["add 10.0.0.2:80"]);
    world.apply(&service("web").port("", 80).local_traffic());
    assert_eq!(client.read(), ["remove 10.0.0.2:80"]);
}

// Case 29.
#[test]
fn a_client_is_told_how_near_an_endpoint_is_and_a_node_may_move() {
    let (world, slice) = two_zones();
    world.apply(&slice.endpoint(endpoint(1)).endpoint(bare("10.0.0.3")));
    let mut client = world.get_from("web.ns", 80, "node-1");
    let locality = |client: &super::world::Client, address: &str| client.shown()[&address.parse().unwrap()].locality;
    assert_eq!(client.read(), ["add 10.0.0.1:80 10.0.0.3:80"]);
    assert_eq!(locality(&client, "10.0.0.1:80"), Locality::Local);
    assert_eq!(locality(&client, "10.0.0.3:80"), Locality::Unknown);
    world.apply(&node("node-1", "zone-2"));
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
    assert_eq!(locality(&client, "10.0.0.1:80"), Locality::Remote);
    world.delete(&node("node-1", ""));
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
    assert_eq!(locality(&client, "10.0.0.1:80"), Locality::Unknown);
}

// Case 7.
#[test]
fn without_ipv6_a_pod_has_no_ipv6_address_but_a_bare_endpoint_does() {
    let world = World::with(Config { ipv6: false, ..config() });
    let web_0 = pod("web-0").ip("2001:db8::68");
    world.apply(&web_0).apply(&service("web").port("", 80));
    world.apply(&slice("web", "s").v6().port("", 80).pods([&web_0]).endpoint(bare("2001:db8::69")));
    assert_eq!(world.get("web.ns", 80).read(), ["add [2001:db8::69]:80"]);
}

// Case 10.
#[test]
fn the_family_is_chosen_among_what_hints_leave() {
    let (world, v4) = two_zones();
    world.apply(&v4.endpoint(endpoint(1).for_zones(&["zone-1"])));
    let v6 = endpoint(1).at("2001:db8::1").for_zones(&["zone-2"]);
    world.apply(&slice("web", "v6").v6().port("", 80).endpoint(v6));
    assert_eq!(world.get_from("web.ns", 80, "node-1").read(), ["add 10.0.0.1:80"]);
    assert_eq!(world.get_from("web.ns", 80, "node-3").read(), ["add [2001:db8::1]:80"]);
}
