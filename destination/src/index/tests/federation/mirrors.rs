//! Services that stand for one of another cluster.

use super::{Remote, federated, identity, leave, mirror, pod_at, refusal};
use crate::{
    core::endpoint::TlsIdentity,
    fixtures::{
        EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, external, node, of_external, of_pod, service, slice,
    },
    index::{
        refusal::EndpointsRefusal,
        tests::world::{Client, World, key},
    },
};
use linkerd_k8s::{EndpointSlice, Pod, Resource, names::label};
// Case 46.
#[test]
fn a_mirror_has_the_endpoints_of_the_remote_service_with_the_remote_trust_domain() {
    let world = World::new();
    world.apply(&mirror());
    let east = Remote::with(&world, "east", "foo", &[pod_at("foo-0", "10.1.0.1")]);
    let mut client = world.get("foo-target.ns", 80);
    assert_eq!(client.read(), ["add 10.1.0.1:8080"]);
    assert_eq!(identity(&mut client, "10.1.0.1:8080"), "web.ns.serviceaccount.identity.linkerd.east.trust");
    assert_eq!(client.set_labels(), ["namespace=ns", "service=foo"]);
    east.has(&world, "foo", &[pod_at("foo-1", "10.1.0.2")]);
    east.settle(&world);
    assert_eq!(client.read(), ["add 10.1.0.2:8080", "remove 10.1.0.1:8080"]);
    // A relist that changes nothing sends nothing.
    let id = slice("foo", "foo-1").id();
    east.relist::<EndpointSlice>(&world, &[id]);
    assert!(client.read().is_empty());
    east.relist::<EndpointSlice>(&world, &[]);
    assert_eq!(client.read(), ["remove 10.1.0.2:8080"]);
}

// Case 46.
#[test]
fn a_mirror_that_cannot_be_followed_is_refused() {
    let world = World::new();
    world.apply(&mirror()).apply(&service("nameless").label(label::REMOTE_DISCOVERY, "east"));
    world.apply(&service("empty").label(label::REMOTE_DISCOVERY, "east").label(label::REMOTE_SERVICE, ""));
    assert_eq!(refusal(&world, "foo-target.ns").to_string(), "Remote cluster not found: east");
    assert_eq!(refusal(&world, "nameless.ns"), EndpointsRefusal::NoRemoteService(key("ns", "nameless")));
    assert_eq!(refusal(&world, "empty.ns"), EndpointsRefusal::NoRemoteService(key("ns", "empty")));
    let east = Remote::with(&world, "east", "other", &[]);
    // A remote Service that does not exist is one without endpoints.
    let mut client = world.get("foo-target.ns", 80);
    assert_eq!(client.read(), ["empty"]);
    east.has(&world, "foo", &[pod_at("foo-0", "10.1.0.1")]);
    east.settle(&world);
    assert_eq!(client.read(), ["add 10.1.0.1:8080"]);
    east.apply(&world, &service("foo").external_name());
    assert_eq!(refusal(&world, "foo-target.ns"), EndpointsRefusal::ExternalName(key("ns", "foo-target")));
}

#[test]
fn nothing_is_served_from_a_cluster_before_its_lists_are_complete() {
    let world = World::new();
    world.apply(&mirror()).apply(&federated(None, "foo@east"));
    let east = Remote::new("east");
    east.has(&world, "foo", &[pod_at("foo-0", "10.1.0.1")]);
    east.join(&world);
    // A client that has endpoints keeps them when it is refused so.
    assert_eq!(refusal(&world, "foo-target.ns"), EndpointsRefusal::ClusterNotReady("east".into()));
    assert_eq!(refusal(&world, "bb-federated.ns"), EndpointsRefusal::ClusterNotReady("east".into()));
    assert_eq!(world.index().settling("ns", "foo-target").len(), 1);
    east.settled.send_replace(true);
    assert!(world.index().settling("ns", "foo-target").is_empty());
    east.sync(&world);
    assert_eq!(world.get("foo-target.ns", 80).read(), ["add 10.1.0.1:8080"]);
    assert_eq!(world.get("bb-federated.ns", 80).read(), ["add 10.1.0.1:8080"]);
}

#[test]
fn clients_in_another_cluster_are_not_filtered_but_hostnames_and_families_are() {
    let world = World::new();
    world.apply(&node("node-1", "zone-a")).apply(&node("node-2", "zone-b")).apply(&mirror());
    let pods = [pod_at("foo-0", "10.1.0.1").on("node-1"), pod_at("foo-1", "10.1.0.2").on("node-9")];
    let east = Remote::with(&world, "east", "foo", &pods);
    // Neither the traffic policy nor hints are meant for clients elsewhere.
    east.apply(&world, &service("foo").port("http", 80).local_traffic());
    let hinted = |pod: &Pod, zone: &str| of_pod(pod).zone(zone).for_zones(&[zone]).for_nodes(&["node-1"]);
    let of_both = slice("foo", "foo-1").port("http", 8080).endpoint(hinted(&pods[0], "zone-a").hostname("foo-0"));
    east.apply(&world, &of_both.endpoint(hinted(&pods[1], "zone-z")));
    let mut client = world.get_from("foo-target.ns", 80, "node-1");
    client.read();
    let locality = |client: &Client, address: &str| client.shown()[&address.parse().unwrap()].locality.as_str();
    assert_eq!(locality(&client, "10.1.0.1:8080"), "local");
    assert_eq!(locality(&client, "10.1.0.2:8080"), "remote");
    // The zone is that of the client's node, here and now.
    world.apply(&node("node-1", "zone-z"));
    assert_eq!(client.read(), ["add 10.1.0.1:8080 10.1.0.2:8080"]);
    assert_eq!(locality(&client, "10.1.0.1:8080"), "remote");
    assert_eq!(world.get("foo-0.foo-target.ns", 80).read(), ["add 10.1.0.1:8080"]);
    let v6 = slice("foo", "foo-v6").v6().port("http", 8080).endpoint(of_pod(&pods[0]).at("2001:db8::1"));
    east.apply(&world, &v6);
    east.settle(&world);
    assert_eq!(client.read(), ["add [2001:db8::1]:8080", "remove 10.1.0.1:8080"]);
}

#[test]
fn external_workloads_of_another_cluster_are_endpoints() {
    let world = World::new();
    world.apply(&mirror());
    let east = Remote::with(&world, "east", "foo", &[]);
    let vm = external("vm", "10.1.0.9", 8080);
    east.apply(&world, &vm);
    east.apply(&world, &slice("foo", "vms").port("http", 8080).endpoint(of_external(&vm)));
    let mut client = world.get("foo-target.ns", 80);
    let identity = client.endpoint("10.1.0.9:8080").identity;
    assert!(matches!(identity, Some(TlsIdentity::External { .. })), "{identity:?}");
}

#[test]
fn a_mirror_whose_cluster_goes_is_emptied_and_filled_when_it_comes_back() {
    let world = World::new();
    world.apply(&mirror());
    let east = Remote::with(&world, "east", "foo", &[pod_at("foo-0", "10.1.0.1")]);
    let mut client = world.get("foo-target.ns", 80);
    client.read();
    leave(&world, "east");
    assert_eq!(client.read(), ["remove 10.1.0.1:8080"]);
    assert_eq!(east.watched(), (0, 0));
    assert_eq!(refusal(&world, "foo-target.ns").to_string(), "Remote cluster not found: east");
    let again = Remote::with(&world, "east", "foo", &[pod_at("foo-0", "10.1.0.1"), pod_at("foo-1", "10.1.0.2")]);
    assert_eq!(client.read(), ["add 10.1.0.1:8080 10.1.0.2:8080"]);
    assert_eq!(again.watched(), (1, 2));
}

// Case 47: what a changed Secret does to streams.
#[test]
fn a_cluster_that_takes_the_place_of_another_sends_the_difference_alone() {
    let world = World::new();
    world.apply(&mirror());
    let (kept, left) = (pod_at("foo-0", "10.1.0.1"), pod_at("foo-1", "10.1.0.2"));
    let old = Remote::with(&world, "east", "foo", &[kept.clone(), left]);
    let mut client = world.get("foo-target.ns", 80);
    client.read();
    let new = Remote::with(&world, "east", "foo", &[kept, pod_at("foo-2", "10.1.0.3")]);
    assert_eq!(client.read(), ["add 10.1.0.3:8080", "remove 10.1.0.2:8080"]);
    assert_eq!((old.watched(), new.watched()), ((0, 0), (1, 2)));
    // What the old one still tells is nobody's.
    old.has(&world, "foo", &[pod_at("foo-9", "10.1.0.9")]);
    assert!(client.read().is_empty());
    drop(client);
    assert_eq!(new.watched(), (0, 0));
}

#[test]
fn a_mirror_that_becomes_another_kind_of_service_is_asked_for_anew() {
    let world = World::new();
    let _east = Remote::with(&world, "east", "foo", &[pod_at("foo-0", "10.1.0.1")]);
    // In gateway mode, with a slice of its own.
    world.apply(&service("foo-target").port("http", 80));
    world.apply(&slice("foo-target", "s").port("http", 4143).endpoint(bare("192.0.2.1")));
    let mut client = world.get("foo-target.ns", 80);
    assert_eq!(client.read(), ["add 192.0.2.1:4143"]);
    world.apply(&mirror());
    assert!(client.is_ended() && client.read().is_empty(), "the client keeps what it has until it asks anew");
    let mut next = world.get("foo-target.ns", 80);
    drop(client);
    assert_eq!(next.read(), ["add 10.1.0.1:8080"]);
    world.apply(&service("foo-target").port("http", 80));
    assert!(next.is_ended() && next.read().is_empty());
    let again = world.get("foo-target.ns", 80);
    drop(next);
    assert_eq!(world.watched(), (1, 0, 0));
    drop(again);
    assert_eq!(world.watched(), (0, 0, 0));
}
