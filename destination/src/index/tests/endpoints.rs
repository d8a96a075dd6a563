//! Which endpoints a Service has.

use super::world::{World, key};
use crate::{
    core::endpoint::TlsIdentity,
    fixtures::{
        EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, external, of_external, of_pod, pod, service, slice,
    },
    index::refusal::EndpointsRefusal,
};
use linkerd_k8s::{
    EndpointSlice, Pod,
    endpoint_slice::AddressType,
    names::{annotation, label},
};

/// A Service `web` with port 8989, and its pod.
fn web() -> (World, Pod) {
    let (world, web_0) = (World::new(), pod("web-0").ip("172.17.0.12"));
    world.apply(&service("web").port("", 8989)).apply(&web_0);
    (world, web_0)
}

fn identity(name: &str) -> Option<TlsIdentity> {
    let identity = format!("{name}.ns.serviceaccount.identity.linkerd.trust.domain");
    Some(TlsIdentity::Workload(identity.as_str().into()))
}

// Case 4.
#[test]
fn services_that_have_no_endpoints_here_are_refused() {
    let world = World::new();
    let refusal = |name: &str| world.try_get(name, 80, "").err().unwrap();
    assert_eq!(refusal("x.ns").to_string(), "Service x.ns not found");
    world.apply(&service("alias").external_name());
    assert_eq!(refusal("alias.ns"), EndpointsRefusal::ExternalName(key("ns", "alias")));
    let remote = service("far").label(label::REMOTE_DISCOVERY, "east");
    world.apply(&remote);
    assert_eq!(refusal("far.ns"), EndpointsRefusal::NoRemoteService(key("ns", "far")));
    world.apply(&remote.label(label::REMOTE_SERVICE, "web"));
    assert_eq!(refusal("far.ns").to_string(), "Remote cluster not found: east");
}

#[test]
fn before_the_initial_lists_are_complete_nothing_is_answered() {
    let world = World::unsynced(super::world::config());
    world.apply(&service("web"));
    assert_eq!(world.try_get("web.ns", 80, "").err(), Some(EndpointsRefusal::NotReady));
    assert_eq!(world.try_get("none.ns", 80, "").err(), Some(EndpointsRefusal::NotReady));
    world.sync();
    assert!(world.try_get("web.ns", 80, "").is_ok());
}

// Case 5.
#[test]
fn the_first_message_has_everything_and_there_is_no_second() {
    let (world, web_0) = web();
    world.apply(&slice("web", "web-1").port("", 8989).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["add 172.17.0.12:8989"]);
    assert_eq!(client.set_labels(), ["namespace=ns", "service=web"]);
    world.settle();
    assert!(client.read().is_empty());
}

// Case 51.
#[test]
fn a_service_without_endpoints_says_so_at_once() {
    let (world, web_0) = web();
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["empty"]);
    world.apply(&slice("web", "web-1").port("", 8989).pods([&web_0]));
    assert_eq!(client.read(), ["add 172.17.0.12:8989"]);
}

// Cases 9 and 80, with either family preferred.
#[test]
fn a_dual_stack_pod_moves_between_families_without_a_gap() {
    let (world, web_0) = web();
    let v4 = slice("web", "v4").port("", 8989).pods([&web_0]);
    let v6 = slice("web", "v6").v6().port("", 8989).endpoint(of_pod(&web_0).at("2001:db8::68"));
    world.apply(&v4).apply(&v6);
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["add [2001:db8::68]:8989"]);
    world.delete(&v6);
    assert_eq!(client.read(), ["add 172.17.0.12:8989", "remove [2001:db8::68]:8989"]);
    world.apply(&v6);
    assert_eq!(client.read(), ["add [2001:db8::68]:8989", "remove 172.17.0.12:8989"]);
    let extra = slice("web", "v4-extra").port("", 8989).pods([&web_0]);
    world.apply(&extra).delete(&extra);
    assert!(client.read().is_empty());
    world.apply(&v6.with(|slice| slice.endpoints[0].addresses = vec!["2001:db8::69".to_owned()]));
    assert_eq!(client.read(), ["add [2001:db8::69]:8989", "remove [2001:db8::68]:8989"]);
}

// Cases 11, 12 and 13.
#[test]
fn a_port_goes_by_its_name_in_the_service() {
    let (world, web_0) = web();
    let named = service("web").port("", 8989).port("app", 7778);
    world.apply(&named).apply(&slice("web", "web-1").port("", 8990).port("app", 7779).pods([&web_0]));
    for (port, address) in [(8989, 8990), (7778, 7779), (6000, 6000)] {
        assert_eq!(world.get("web.ns", port).read(), [format!("add 172.17.0.12:{address}")]);
    }
    assert_eq!(world.get("web.ns", 8989).read(), ["add 172.17.0.12:8990"]);
}

// Case 14.
#[test]
fn slices_contribute_by_the_ports_that_they_have() {
    let (world, web_0) = web();
    let web_1 = pod("web-1").ip("172.17.0.13");
    let both = service("web").port("port1", 8989).port("port2", 8990);
    world.apply(&both).apply(&web_1);
    world.apply(&slice("web", "a").port("port1", 8989).port("port2", 8990).pods([&web_0]));
    world.apply(&slice("web", "b").port("port1", 8989).pods([&web_1]));
    assert_eq!(world.get("web.ns", 8989).read(), ["add 172.17.0.12:8989 172.17.0.13:8989"]);
    assert_eq!(world.get("web.ns", 8990).read(), ["add 172.17.0.12:8990"]);
}

// Case 15.
#[test]
fn a_port_whose_number_changes_moves_the_address() {
    let (world, web_0) = web();
    world.apply(&slice("web", "web-1").port("", 8080).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["add 172.17.0.12:8080"]);
    world.apply(&slice("web", "web-1").port("", 9090).pods([&web_0]));
    assert_eq!(client.read(), ["add 172.17.0.12:9090", "remove 172.17.0.12:8080"]);
    world.apply(&service("web").port("other", 8989));
    assert_eq!(client.read(), ["remove 172.17.0.12:9090"]);
}

// Case 16.
#[test]
fn an_endpoint_appears_with_its_pod() {
    let (world, web_0) = web();
    let web_1 = pod("web-1").ip("172.17.0.13");
    world.apply(&slice("web", "web-1").port("", 80).pods([&web_0, &web_1, &pod("web-2").ip("172.17.0.14")]));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
    world.apply(&web_1);
    assert_eq!(client.read(), ["add 172.17.0.13:80"]);
    world.delete(&web_0);
    assert_eq!(client.read(), ["remove 172.17.0.12:80"]);
}

#[test]
fn an_endpoint_never_takes_the_identity_of_another_pod_of_the_same_name() {
    let (world, _) = web();
    let old = pod("web-0").uid("1").ip("172.17.0.12").meshed().account("old");
    let new = pod("web-0").uid("2").ip("172.17.0.13").meshed().account("new");
    world.apply(&old).apply(&slice("web", "web-1").port("", 80).pods([&new]));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["empty"]);
    world.apply(&new);
    assert_eq!(client.endpoint("172.17.0.13:80").identity, identity("new"));
    // The other way round: the slice still names the old one.
    world.apply(&slice("web", "web-1").port("", 80).pods([&old]));
    assert_eq!(client.read(), ["remove 172.17.0.13:80"]);
}

#[test]
fn an_edit_of_a_pod_that_a_proxy_can_see_is_sent_and_no_other() {
    let (world, web_0) = web();
    world.apply(&slice("web", "web-1").port("", 80).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    client.read();
    world.apply(&web_0.clone().label("app", "web"));
    assert!(client.read().is_empty());
    world.apply(&web_0.meshed());
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
}

// Cases 17 and 18.
#[test]
fn readiness_decides_and_its_absence_means_ready() {
    let (world, web_0) = web();
    let with_ready = |ready| slice("web", "web-1").port("", 80).endpoint(of_pod(&web_0).ready(ready));
    world.apply(&with_ready(false));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["empty"]);
    world.apply(&with_ready(true));
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
    world.apply(&with_ready(false));
    assert_eq!(client.read(), ["remove 172.17.0.12:80"]);
    world.apply(&slice("web", "web-1").port("", 80).pods([&web_0]));
    world.settle();
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
}

// Case 19.
#[test]
fn a_slice_that_empties_after_its_pod_is_gone_leaves_nothing() {
    let (world, web_0) = web();
    world.apply(&slice("web", "web-1").port("", 80).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    client.read();
    world.delete(&web_0).apply(&slice("web", "web-1"));
    assert_eq!(client.read(), ["remove 172.17.0.12:80"]);
}

// Case 20.
#[test]
fn a_deleted_slice_takes_only_its_own_addresses() {
    let (world, web_0) = web();
    let web_1 = pod("web-1").ip("172.17.0.13");
    let (a, b) = (slice("web", "a").port("", 80).pods([&web_0]), slice("web", "b").port("", 80).pods([&web_1]));
    world.apply(&web_1).apply(&a).apply(&b);
    let mut client = world.get("web.ns", 8989);
    client.read();
    world.delete(&b);
    assert_eq!(client.read(), ["remove 172.17.0.13:80"]);
    world.apply(&b);
    world.settle();
    client.read();
    world.relist::<EndpointSlice>(&[linkerd_k8s::Resource::id(&a)]);
    assert_eq!(client.read(), ["remove 172.17.0.13:80"]);
}

// Case 21.
#[test]
fn an_endpoint_may_move_between_slices_in_either_order() {
    let (world, web_0) = web();
    let (empty, full) = (slice("web", "a").port("", 80), slice("web", "a").port("", 80).pods([&web_0]));
    let other = slice("web", "b").port("", 80).pods([&web_0]);
    world.apply(&full);
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
    world.apply(&other).apply(&empty);
    assert!(client.read().is_empty());
    world.delete(&other).apply(&full);
    world.settle();
    client.read();
    assert_eq!(client.shown().len(), 1);
}

// Case 22.
#[test]
fn a_slice_belongs_to_a_service_by_label_or_by_owner() {
    let (world, web_0) = web();
    let unlabelled = slice("web", "web-1").port("", 80).pods([&web_0]).with(|slice| slice.metadata.labels.clear());
    world.apply(&unlabelled);
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["empty"]);
    world.apply(&unlabelled.owner("Service", "web"));
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
}

#[test]
fn a_slice_that_changes_its_service_leaves_the_old_one() {
    let (world, web_0) = web();
    world.apply(&service("api").port("", 8989)).apply(&slice("web", "s").port("", 80).pods([&web_0]));
    let (mut web, mut api) = (world.get("web.ns", 8989), world.get("api.ns", 8989));
    web.read();
    api.read();
    world.apply(&slice("api", "s").port("", 80).pods([&web_0]));
    assert_eq!(web.read(), ["remove 172.17.0.12:80"]);
    assert_eq!(api.read(), ["add 172.17.0.12:80"]);
}

// Case 23.
#[test]
fn a_hostname_chooses_its_own_endpoint() {
    let (world, _) = web();
    let pods: Vec<Pod> = (1..4).map(|i| pod(&format!("web-{i}")).ip(&format!("10.0.0.{i}"))).collect();
    let endpoints = pods.iter().map(|pod| of_pod(pod).hostname(&pod.metadata.name));
    for pod in &pods {
        world.apply(pod);
    }
    world.apply(&endpoints.fold(slice("web", "s").port("", 5959), SliceExt::endpoint));
    assert_eq!(world.get("web-3.web.ns", 5959).read(), ["add 10.0.0.3:5959"]);
    assert_eq!(world.get("web-9.web.ns", 5959).read(), ["empty"]);
    assert_eq!(world.get("10-0-0-1.web.ns", 5959).read(), ["empty"]);
}

// Cases 43 and 81.
#[test]
fn external_workloads_are_endpoints_while_they_exist() {
    let (world, _) = web();
    let vm = external("vm", "192.0.2.1", 80);
    world.apply(&slice("web", "s").port("", 80).endpoint(of_external(&vm).zone("east")));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.read(), ["empty"]);
    world.apply(&vm);
    let endpoint = client.endpoint("192.0.2.1:80");
    assert!(matches!(endpoint.identity, Some(TlsIdentity::External { .. })));
    assert_eq!(endpoint.labels.get("zone"), Some("east"));
    world.apply(&vm.clone().with(|vm| vm.spec.mesh_tls.server_name = "other".to_owned()));
    assert_eq!(client.read(), ["add 192.0.2.1:80"]);
    world.delete(&vm);
    assert_eq!(client.read(), ["remove 192.0.2.1:80"]);
}

// Cases 44 and 45.
#[test]
fn mirrored_endpoints_go_through_a_gateway() {
    let world = World::new();
    let mirrored = |identity: &str| {
        slice("web-east", "s")
            .port("", 9999)
            .endpoint(bare("192.0.2.9"))
            .label(label::MIRROR_CLUSTER_NAME, "east")
            .annotation(annotation::REMOTE_GATEWAY_IDENTITY, identity)
            .annotation(annotation::REMOTE_SVC_FQ_NAME, "web.ns.svc.cluster.local")
    };
    world.apply(&service("web-east").port("", 8989)).apply(&mirrored("gateway"));
    let mut client = world.get("web-east.ns", 8989);
    assert_eq!(client.read(), ["add 192.0.2.9:9999"]);
    let endpoint = client.endpoint("192.0.2.9:9999");
    assert_eq!(endpoint.identity, Some(TlsIdentity::Gateway("gateway".into())));
    assert_eq!(endpoint.authority.as_deref(), Some("web.ns.svc.cluster.local:8989"));
    let labels = [
        "namespace=ns",
        "service=web-east",
        "target_cluster=east",
        "target_service=web",
        "target_service_namespace=ns",
    ];
    assert_eq!(client.set_labels(), labels);
    world.apply(&mirrored("gateway"));
    assert!(client.read().is_empty());
    world.apply(&mirrored("other"));
    assert_eq!(client.read(), ["add 192.0.2.9:9999"]);
    world.apply(&mirrored(""));
    let endpoint = client.endpoint("192.0.2.9:9999");
    assert!(endpoint.identity.is_none() && endpoint.hint.is_none() && endpoint.authority.is_some());
}

// Case 50.
#[test]
fn a_deleted_service_takes_its_endpoints_along_until_it_is_back() {
    let (world, web_0) = web();
    let web = service("web").port("", 8989);
    world.apply(&slice("web", "s").port("", 80).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    client.read();
    world.delete(&web);
    assert_eq!(client.read(), ["remove 172.17.0.12:80", "gone"]);
    world.apply(&web);
    assert_eq!(client.read(), ["add 172.17.0.12:80"]);
    world.delete(&slice("web", "s"));
    client.read();
    world.delete(&web).apply(&web);
    assert!(client.read().is_empty());
    world.delete(&web);
    assert_eq!(client.read(), ["gone"]);
    world.apply(&web);
    assert_eq!(client.read(), ["empty"]);
}

// Case 75.
#[test]
fn a_list_of_what_is_known_sends_nothing() {
    let (world, web_0) = web();
    let web_0 = web_0.meshed();
    let (web, s) = (service("web").port("", 8989), slice("web", "s").port("", 80).pods([&web_0]));
    world.apply(&web_0).apply(&web).apply(&s);
    let (mut client, mut profile) = (world.get("web.ns", 8989), world.profile("172.17.0.12", 80));
    client.read();
    profile.read();
    world.apply(&web_0.with(|pod| pod.metadata.resource_version = "9".to_owned()));
    world.apply(&web).apply(&s);
    world.sync();
    assert!(client.read().is_empty() && profile.read().is_none());
}

// Cases 76 and 80.
#[test]
fn an_address_that_another_endpoint_has_too_is_not_removed() {
    let (world, _) = web();
    let old = pod("old").uid("1").ip("10.0.0.1").meshed().account("old");
    let new = pod("new").uid("2").ip("10.0.0.1").meshed().account("new");
    world.apply(&old).apply(&new).apply(&slice("web", "s").port("", 80).pods([&old]));
    let mut client = world.get("web.ns", 8989);
    client.read();
    world.apply(&slice("web", "s").port("", 80).pods([&new]));
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
    assert_eq!(client.endpoint("10.0.0.1:80").identity, identity("new"));
    world.apply(&slice("web", "s").port("", 80).pods([&new]).endpoint(bare("10.0.0.1")));
    assert!(client.read().is_empty());
    world.apply(&slice("web", "s").port("", 80).endpoint(bare("10.0.0.1")));
    assert_eq!(client.read(), ["add 10.0.0.1:80"]);
}

// Case 77.
#[test]
fn fields_that_kubernetes_may_add_change_nothing() {
    let (world, _) = web();
    let read: EndpointSlice = serde_json::from_value(serde_json::json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "new": {"a": [1]},
        "metadata": {"name": "s", "namespace": "ns", "labels": {"kubernetes.io/service-name": "web"}, "new": 1},
        "ports": [{"name": "", "port": 80, "appProtocol": "http", "new": true}],
        "endpoints": [{
            "addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": true, "terminating": false, "new": 1},
            "hints": {"forNodes": [{"name": "node-1"}], "forZones": null, "new": []}, "deprecatedTopology": {}, "new": {},
        }],
    }))
    .unwrap();
    world.apply(&read);
    assert_eq!(world.get("web.ns", 8989).read(), ["add 10.0.0.1:80"]);
}

// Cases 82 and 88.
#[test]
fn slices_of_names_and_of_nonsense_are_no_endpoints() {
    let (world, _) = web();
    let names = slice("web", "names").port("", 80).endpoint(bare("example.com"));
    world.apply(&names.with(|slice| slice.address_type = AddressType::Fqdn));
    world.apply(&slice("web", "s").port("", 80).endpoint(bare("nonsense")).endpoint(bare("10.0.0.256")));
    assert_eq!(world.get("web.ns", 8989).read(), ["empty"]);
}

#[test]
fn a_target_of_an_unknown_kind_is_no_endpoint() {
    let (world, web_0) = web();
    let strange = bare("10.0.0.1").target("Machine", &web_0.metadata);
    world.apply(&slice("web", "s").port("", 80).endpoint(strange).endpoint(bare("10.0.0.2")));
    assert_eq!(world.get("web.ns", 8989).read(), ["add 10.0.0.2:80"]);
}

// Case 38.
#[test]
fn the_owner_label_follows_the_owners() {
    let (world, web_0) = web();
    let web_0 = web_0.owner("ReplicaSet", "web-1");
    let set = crate::fixtures::replica_set("web-1").owner("Deployment", "web");
    world.apply(&web_0).apply(&slice("web", "s").port("", 80).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    assert_eq!(client.endpoint("172.17.0.12:80").labels.get("replicaset"), Some("web-1"));
    world.apply(&set);
    assert_eq!(client.endpoint("172.17.0.12:80").labels.get("deployment"), Some("web"));
    world.delete(&set);
    assert_eq!(client.endpoint("172.17.0.12:80").labels.get("replicaset"), Some("web-1"));
    // Another one of the same name is not the owner.
    world.apply(&set.uid("2"));
    assert_eq!(client.endpoint("172.17.0.12:80").labels.get("deployment"), Some("web"));
    let owned = pod("web-0").ip("172.17.0.12").owner("ReplicaSet", "web-1");
    world.apply(&owned.with(|pod| pod.metadata.owner_references[0].uid = "1".to_owned()));
    assert_eq!(client.endpoint("172.17.0.12:80").labels.get("replicaset"), Some("web-1"));
}

#[test]
fn objects_of_another_namespace_change_nothing() {
    let (world, web_0) = web();
    world.apply(&slice("web", "s").port("", 80).pods([&web_0]));
    let mut client = world.get("web.ns", 8989);
    client.read();
    let twin = web_0.namespace("other").meshed();
    world.apply(&twin).apply(&service("web").namespace("other").port("x", 8989));
    world.apply(&slice("web", "s").namespace("other").port("", 81).pods([&twin]));
    assert!(client.read().is_empty());
    world.delete(&twin).delete(&service("web").namespace("other"));
    assert!(client.read().is_empty());
}
