//! Services that stand for several, here and there.

use super::{Remote, federated, identity, leave, pod_at, two};
use crate::{
    core::member::MAX_MEMBERS,
    fixtures::{Named, ServiceExt, SliceExt, bare, node, service, slice},
    index::tests::world::World,
};
use linkerd_controller::source::Sink;
use linkerd_k8s::{EndpointSlice, ObjectId, Pod, names::label};
use std::{collections::HashSet, sync::Arc};
// Case 48.
#[test]
fn a_federated_service_is_the_union_of_its_members_and_follows_them() {
    let (world, east) = two();
    let north = Remote::with(&world, "north", "bb", &[pod_at("far", "10.2.0.1")]);
    world.apply(&federated(Some("bb"), "bb@east"));
    let mut client = world.get("bb-federated.ns", 80);
    assert_eq!(client.read(), ["add 10.0.0.1:8080 10.1.0.1:8080"]);
    assert_eq!(identity(&mut client, "10.0.0.1:8080"), "web.ns.serviceaccount.identity.linkerd.trust.domain");
    assert_eq!(identity(&mut client, "10.1.0.1:8080"), "web.ns.serviceaccount.identity.linkerd.east.trust");
    assert_eq!(client.set_labels(), ["namespace=ns", "service=bb"]);
    world.apply(&federated(Some("bb"), "bb@east,bb@north"));
    assert_eq!(client.read(), ["add 10.2.0.1:8080"]);
    assert_eq!(north.watched(), (1, 1));
    // Members change by themselves, here and there.
    east.has(&world, "bb", &[pod_at("there", "10.1.0.1"), pod_at("there-too", "10.1.0.2")]);
    world.apply(&slice("bb", "bb-2").port("http", 8080).endpoint(bare("10.0.0.2")));
    assert_eq!(client.read(), ["add 10.0.0.2:8080 10.1.0.2:8080"]);
    world.apply(&federated(None, "bb@north,bb@east"));
    assert_eq!(client.read(), ["remove 10.0.0.1:8080 10.0.0.2:8080"]);
    world.apply(&federated(None, "bb@north"));
    assert_eq!(client.read(), ["remove 10.1.0.1:8080 10.1.0.2:8080"]);
    assert_eq!((east.watched(), world.watched().0), ((0, 0), 0));
    world.delete(&federated(None, ""));
    assert!(client.is_ended());
    assert_eq!(client.read(), ["remove 10.2.0.1:8080", "gone"]);
    assert_eq!(north.watched(), (0, 0));
}

// Case 48.
#[test]
fn a_service_that_stops_being_federated_is_asked_for_anew() {
    let (world, east) = two();
    world.apply(&federated(Some("bb"), "bb@east"));
    let mut client = world.get("bb-federated.ns", 80);
    client.read();
    world.apply(&service("bb-federated").port("http", 80));
    assert!(client.is_ended() && client.read().is_empty());
    // It may be federated again before the stream that has ended is freed.
    world.apply(&federated(Some("bb"), ""));
    let mut next = world.get("bb-federated.ns", 80);
    drop(client);
    assert_eq!(next.read(), ["add 10.0.0.1:8080"]);
    world.apply(&slice("bb", "bb-1").port("http", 8080));
    assert_eq!(next.read(), ["remove 10.0.0.1:8080"]);
    drop(next);
    assert_eq!((world.watched(), world.index().federated().sizes()), ((0, 0, 0), (0, 0)));
    assert_eq!(east.watched(), (0, 0));
}

// Case 87.
#[test]
fn unknown_clusters_and_malformed_members_spoil_nothing() {
    let (world, _east) = two();
    world.apply(&federated(Some("bb"), "bb@nowhere,bb@a@b,bb,@east,bb@"));
    let mut client = world.get("bb-federated.ns", 80);
    assert_eq!(client.read(), ["add 10.0.0.1:8080"]);
    world.apply(&federated(None, "bb@nowhere"));
    assert_eq!(client.read(), ["remove 10.0.0.1:8080"]);
    assert_eq!(world.get("bb-federated.ns", 80).read(), ["empty"]);
    world.apply(&federated(Some(""), ""));
    assert_eq!(world.get("bb-federated.ns", 80).read(), ["empty"]);
}

#[test]
fn a_cluster_that_comes_late_is_picked_up_by_open_streams_and_one_that_goes_leaves_them() {
    let (world, _east) = two();
    world.apply(&federated(Some("bb"), "bb@north"));
    let mut client = world.get("bb-federated.ns", 80);
    assert_eq!(client.read(), ["add 10.0.0.1:8080"]);
    let north = Remote::new("north");
    north.join(&world);
    assert!(client.read().is_empty());
    north.has(&world, "bb", &[pod_at("far", "10.2.0.1")]);
    assert!(client.read().is_empty(), "its lists are not complete");
    north.sync(&world);
    assert_eq!(client.read(), ["add 10.2.0.1:8080"]);
    leave(&world, "north");
    assert_eq!(client.read(), ["remove 10.2.0.1:8080"]);
}

#[test]
fn an_address_of_two_members_is_told_once_and_goes_with_the_last() {
    let (world, east) = two();
    world.apply(&federated(Some("bb"), "bb@east"));
    let mut client = world.get("bb-federated.ns", 80);
    client.read();
    east.has(&world, "bb", &[pod_at("twin", "10.0.0.1")]);
    east.settle(&world);
    assert_eq!(client.read(), ["remove 10.1.0.1:8080"]);
    assert_eq!(client.endpoint("10.0.0.1:8080").labels.get("pod"), Some("here"));
    world.apply(&slice("bb", "bb-1").port("http", 8080));
    assert_eq!(client.read(), ["add 10.0.0.1:8080"], "another pod has it now");
    assert_eq!(client.endpoint("10.0.0.1:8080").labels.get("pod"), Some("twin"));
    east.relist::<EndpointSlice>(&world, &[]);
    assert_eq!(client.read(), ["remove 10.0.0.1:8080"]);
}

#[test]
fn members_of_other_names_have_their_labels_on_each_endpoint() {
    let (world, _east) = two();
    let _north = Remote::with(&world, "north", "cc", &[pod_at("far", "10.2.0.1")]);
    world.apply(&federated(Some("bb"), "bb@east,cc@north"));
    let mut client = world.get("bb-federated.ns", 80);
    client.read();
    let labels = |address: &str| {
        let labels = client.shown()[&address.parse().unwrap()].labels.clone();
        labels.map(|labels| labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>())
    };
    assert_eq!((labels("10.0.0.1:8080"), labels("10.1.0.1:8080")), (None, None));
    assert_eq!(labels("10.2.0.1:8080").unwrap(), ["namespace=ns", "service=cc"]);
}

#[test]
fn a_local_member_is_filtered_as_usual() {
    let (world, _east) = two();
    world.apply(&federated(Some("bb"), "bb@east"));
    world.apply(&service("bb").port("http", 80).local_traffic());
    assert_eq!(world.get_from("bb-federated.ns", 80, "node-1").read(), ["add 10.1.0.1:8080"]);
    world.apply(&service("bb").port("http", 80));
    assert_eq!(world.get_from("bb-federated.ns", 80, "node-1").read(), ["add 10.0.0.1:8080 10.1.0.1:8080"]);
}

#[test]
fn a_member_that_stands_for_others_itself_is_not_followed_further() {
    let (world, _east) = two();
    world.apply(&federated(Some("bb-federated"), "bb@east"));
    let mut client = world.get("bb-federated.ns", 80);
    assert_eq!(client.read(), ["add 10.1.0.1:8080"]);
    world.apply(&federated(Some("bb-federated"), "bb@east").label("x", "y").opaque("80"));
    assert!(client.read().is_empty() && !client.is_ended());
}

#[test]
fn streams_of_a_local_member_that_becomes_a_mirror_end_and_the_union_goes_on() {
    let (world, east) = two();
    world.apply(&federated(Some("bb"), ""));
    let (mut direct, mut union) = (world.get("bb.ns", 80), world.get("bb-federated.ns", 80));
    direct.read();
    union.read();
    world.apply(
        &service("bb").port("http", 80).label(label::REMOTE_DISCOVERY, "east").label(label::REMOTE_SERVICE, "bb"),
    );
    assert!(direct.is_ended() && !union.is_ended());
    assert!(union.read().is_empty());
    assert_eq!(world.get("bb.ns", 80).read(), ["add 10.1.0.1:8080"]);
    world.apply(&slice("bb", "bb-1").port("http", 8080));
    assert_eq!(union.read(), ["remove 10.0.0.1:8080"]);
    drop((direct, union));
    assert_eq!((world.watched(), east.watched()), ((0, 0, 0), (0, 0)));
}

#[test]
fn clients_that_are_told_the_same_share_a_snapshot() {
    let (world, east) = two();
    for (name, zone) in [("node-1", "a"), ("node-2", "a"), ("node-3", "b")] {
        world.apply(&node(name, zone));
    }
    world.apply(&federated(Some("bb"), "bb@east"));
    let clients = ["node-1", "node-2", "node-3"].map(|node| world.get_from("bb-federated.ns", 80, node));
    let same = |i: usize, j: usize| Arc::ptr_eq(&clients[i].newest(), &clients[j].newest());
    assert!(same(0, 1) && !same(0, 2));
    east.has(&world, "bb", &[pod_at("there-too", "10.1.0.2")]);
    assert!(same(0, 1) && !same(0, 2));
    assert_eq!(clients[0].newest().set().entries.len(), 2);
}

#[test]
fn a_client_of_a_federated_service_that_does_not_read_gets_the_present_state_in_one_step() {
    let (world, east) = two();
    world.apply(&federated(Some("bb"), "bb@east"));
    let mut client = world.get("bb-federated.ns", 80);
    client.read();
    for i in 2..50 {
        east.has(&world, "bb", &[pod_at(&format!("there-{i}"), &format!("10.1.0.{i}"))]);
    }
    east.settle(&world);
    assert_eq!(client.read(), ["add 10.1.0.49:8080", "remove 10.1.0.1:8080"]);
}

/// Whatever the order in which members and clusters came, equal states are equal sets.
#[test]
fn equal_states_are_equal_however_they_came_about() {
    let (one, _east) = two();
    one.apply(&federated(Some("bb"), " bb@north, bb@east"));
    let _north = Remote::with(&one, "north", "bb", &[pod_at("far", "10.1.0.1"), pod_at("far-too", "10.2.0.1")]);
    let other = World::new();
    let _north_too = Remote::with(&other, "north", "bb", &[pod_at("far-too", "10.2.0.1"), pod_at("far", "10.1.0.1")]);
    other.apply(&federated(Some("bb"), "bb@east,bb@north,bb@east"));
    let east = Remote::new("east");
    east.join(&other);
    let here = pod_at("here", "10.0.0.1");
    other.apply(&slice("bb", "bb-1").port("http", 8080).pods([&here])).apply(&here);
    let client = other.get("bb-federated.ns", 80);
    other.apply(&service("bb").port("http", 80));
    east.has(&other, "bb", &[pod_at("there", "10.1.0.1")]);
    east.sync(&other);
    other.settle();
    assert_eq!(client.newest().set(), one.get("bb-federated.ns", 80).newest().set());
    assert_eq!(client.newest().set().entries.len(), 3);
}

#[test]
fn more_members_than_any_mesh_has_are_cut_off() {
    let (world, east) = two();
    let list: Vec<String> = (0..1000).map(|i| format!("bb-{i:04}@east")).collect();
    world.apply(&federated(Some("bb"), &list.join(",")));
    let _client = world.get("bb-federated.ns", 80);
    assert_eq!(east.watched().0, MAX_MEMBERS - 1);
}

/// What the remote index is to be told of: nothing, as long as nobody here watches it.
#[test]
fn a_cluster_that_nobody_watches_costs_no_stream_anything() {
    let (world, east) = two();
    east.has(&world, "bb", &[pod_at("there-too", "10.1.0.2")]);
    assert!(east.index.lock().take_published().is_empty());
    let live: HashSet<ObjectId> = HashSet::new();
    Sink::<Pod>::reset(&mut *east.index.lock(), &live);
    assert_eq!((world.watched(), east.watched()), ((0, 0, 0), (0, 0)));
}
