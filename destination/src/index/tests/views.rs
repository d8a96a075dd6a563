//! What streams cost, and when they hear of changes.

use super::world::World;
use crate::fixtures::{EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, node, pod, service, slice};
use std::sync::Arc;

fn with_bare(ips: &[u8]) -> linkerd_k8s::EndpointSlice {
    let endpoints = ips.iter().map(|i| bare(&format!("10.0.0.{i}")));
    endpoints.fold(slice("web", "s").port("", 80), SliceExt::endpoint)
}

fn web() -> World {
    let world = World::new();
    world.apply(&service("web").port("", 80)).apply(&with_bare(&[1]));
    world
}

#[test]
fn what_nobody_watches_any_more_is_freed() {
    let world = web();
    world.apply(&pod("web-0").ip("10.0.0.9"));
    world.apply(&slice("web", "pods").port("", 80).pods([&pod("web-0").ip("10.0.0.9")]));
    let (one, other) = (world.get("web.ns", 80), world.get_from("web.ns", 81, "node-1"));
    let profile = world.profile("10.0.0.9", 80);
    assert_eq!(world.watched(), (1, 1, 1));
    assert_eq!(world.counts().len(), 2);
    assert_eq!(world.counts()[0].1.subscribers, 1);
    drop(one);
    assert_eq!(world.counts().len(), 1);
    drop((other, profile));
    assert_eq!(world.watched(), (0, 0, 0));
}

#[test]
fn clients_of_one_zone_share_a_snapshot_and_what_it_is_encoded_to() {
    let world = web();
    for (name, zone) in [("node-1", "a"), ("node-2", "a"), ("node-3", "b")] {
        world.apply(&node(name, zone));
    }
    let clients = ["node-1", "node-2", "node-3"].map(|node| world.get_from("web.ns", 80, node));
    let same = |i: usize, j: usize| Arc::ptr_eq(&clients[i].newest(), &clients[j].newest());
    assert!(same(0, 1) && !same(0, 2));
    world.apply(&with_bare(&[1, 2]));
    assert!(same(0, 1) && !same(0, 2));
    let local = service("web").port("", 80).local_traffic();
    world.apply(&local);
    assert!(!same(0, 1));
}

#[test]
fn a_client_that_does_not_read_gets_the_present_state_in_one_step() {
    let world = web();
    let (mut slow, mut fast) = (world.get("web.ns", 80), world.get("web.ns", 80));
    slow.read();
    fast.read();
    for i in 2..100 {
        world.apply(&with_bare(&[i - 1, i]));
        fast.read();
    }
    world.settle();
    fast.read();
    assert_eq!(slow.read(), ["add 10.0.0.98:80 10.0.0.99:80", "remove 10.0.0.1:80"]);
    assert_eq!(slow.shown(), fast.shown());
    // What came and went meanwhile is no news.
    world.apply(&with_bare(&[1])).apply(&with_bare(&[98, 99]));
    world.settle();
    assert!(slow.read().is_empty());
}

#[test]
fn additions_wait_only_after_another_change_and_removals_never() {
    let world = web();
    let mut client = world.get("web.ns", 80);
    client.read();
    world.apply(&with_bare(&[1, 2]));
    assert_eq!(client.read(), ["add 10.0.0.2:80"]);
    world.apply(&with_bare(&[1, 2, 3])).apply(&with_bare(&[1, 2, 3, 4]));
    assert!(client.read().is_empty());
    // A new client does not wait.
    assert_eq!(world.get("web.ns", 80).read(), ["add 10.0.0.1:80 10.0.0.2:80 10.0.0.3:80 10.0.0.4:80"]);
    assert_eq!(client.read(), ["add 10.0.0.3:80 10.0.0.4:80"]);
    world.apply(&with_bare(&[1, 2, 3, 4, 5]));
    assert!(client.read().is_empty());
    assert!(world.tick());
    assert_eq!(client.read(), ["add 10.0.0.5:80"]);
    world.apply(&with_bare(&[1, 2, 3, 4, 5, 6])).apply(&with_bare(&[2, 3, 4, 5, 6, 7]));
    assert_eq!(client.read(), ["add 10.0.0.6:80 10.0.0.7:80", "remove 10.0.0.1:80"]);
    assert!(!world.tick());
    assert!(!world.tick());
    world.apply(&with_bare(&[2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(client.read(), ["add 10.0.0.8:80"]);
}

#[test]
fn a_change_of_metadata_is_no_addition_and_does_not_wait() {
    let world = web();
    let mut client = world.get("web.ns", 80);
    world.apply(&with_bare(&[1, 2]));
    client.read();
    world.apply(&with_bare(&[1, 2]).annotation("mirror.linkerd.io/remote-gateway-identity", "gateway"));
    assert_eq!(client.read(), ["add 10.0.0.1:80 10.0.0.2:80"]);
}

#[test]
fn updates_are_counted_once_for_all_clients() {
    let world = web();
    let clients = [world.get("web.ns", 80), world.get_from("web.ns", 80, "node-1")];
    world.apply(&with_bare(&[1, 2])).apply(&with_bare(&[1, 2]));
    let (name, counts) = world.counts().remove(0);
    assert_eq!(name, "ns/web:80");
    assert_eq!((counts.subscribers, counts.endpoints, counts.exists, counts.updates), (2, 2, true, 1));
    drop(clients);
}

#[test]
fn hints_of_one_endpoint_do_not_leak_into_a_shared_snapshot() {
    let world = World::new();
    world.apply(&node("node-1", "a")).apply(&node("node-2", "b")).apply(&service("web").port("", 80));
    let hinted = |ip: &str, zone: &str| bare(ip).for_zones(&[zone]);
    world.apply(&slice("web", "s").port("", 80).endpoint(hinted("10.0.0.1", "a")).endpoint(hinted("10.0.0.2", "b")));
    assert_eq!(world.get_from("web.ns", 80, "node-1").read(), ["add 10.0.0.1:80"]);
    assert_eq!(world.get_from("web.ns", 80, "node-2").read(), ["add 10.0.0.2:80"]);
}
