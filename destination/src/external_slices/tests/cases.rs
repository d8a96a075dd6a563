//! What is planned, by the acceptance cases of the specification.

use super::*;
use crate::external_slices::made_of;
use linkerd_k8s::external_workload::WorkloadPort;
use serde_json::json;

// Case 69.
#[test]
fn a_service_has_a_slice_of_each_family_that_it_wants() {
    let both = ["IPv4".to_owned(), "IPv6".to_owned()];
    let wanted: [(&[String], &[Family]); 4] = [
        (&both[..1], &[Family::V4]),
        (&both[1..], &[Family::V6]),
        (&both, &[Family::V4, Family::V6]),
        (&[], &[Family::V4, Family::V6]),
    ];
    for (named, expected) in wanted {
        let mut world = World::new();
        world.apply([vm(1).also_at("2001:db8::1")]);
        let service = web("web").label("team", "shop").with(|service| service.spec.ip_families = named.to_vec());
        world.apply([service]);
        assert_eq!(world.settle(), (expected.len(), 0, 0));
        let slices = world.slices_of("web");
        assert_eq!(families(&slices), expected);
        for (slice, object) in slices.iter().zip(world.slices.objects()) {
            let is_v4 = slice.family == Some(Family::V4);
            assert_eq!(object["addressType"], if is_v4 { "IPv4" } else { "IPv6" });
            assert_eq!(
                object["endpoints"],
                json!([{
                    "addresses": [if is_v4 { "10.1.0.1" } else { "2001:db8::1" }],
                    "conditions": {"ready": true, "serving": true, "terminating": false},
                    "targetRef": {"kind": "ExternalWorkload", "namespace": "ns", "name": "vm-001", "uid": "vm-001-uid"},
                }])
            );
            assert_eq!(object["ports"], json!([{"name": "http", "port": 8080, "protocol": "TCP"}]));
            assert!(slice.key.name.starts_with("linkerd-external-web-"));
            assert_eq!(
                object["metadata"]["labels"],
                json!({
                    "team": "shop", "kubernetes.io/service-name": "web",
                    "endpointslice.kubernetes.io/managed-by": "linkerd-external-workloads-controller",
                })
            );
            assert_eq!(
                object["metadata"]["ownerReferences"],
                json!([{
                    "apiVersion": "v1", "kind": "Service", "name": "web", "uid": "web-uid",
                    "controller": true, "blockOwnerDeletion": true,
                }])
            );
        }
    }
}

// Case 70.
#[test]
fn slices_are_packed_with_the_fewest_writes() {
    let mut world = World::new();
    world.apply([web("web")]).apply((0..250).map(vm));
    assert_eq!(world.settle(), (3, 0, 0));
    assert_eq!(world.sizes(), [100, 100, 50]);
    // Another port number, which is another group: the slices are kept, and what they hold is not.
    world.apply((0..250).map(|number| vm(number).at_port(9090)));
    assert_eq!(world.settle(), (0, 3, 0));
    assert_eq!(world.sizes(), [100, 100, 50]);
    assert!(world.slices_of("web").iter().all(|slice| slice.content.ports[0].number == 9090));
}

// Case 70.
#[test]
fn slices_that_are_written_anyway_are_filled_first() {
    let mut world = World::new();
    world.apply([web("web")]).apply((0..62).map(vm));
    world.settle();
    // The second slice is made apart, as by another version.
    let slice = &world.slices_of("web")[0];
    let mut other = slice.content.clone();
    let (service, _) = world.state.plan(&slice_service(slice)).unwrap();
    other.endpoints.clear();
    other.endpoints.extend((62..123).map(|number| endpoint_of(&vm(number))));
    world.slices.create("ns", object::new(&service, Family::V4, &other)).unwrap();
    world.watch();
    world.apply((62..123).map(vm));
    assert_eq!(world.settle(), (0, 0, 0));
    assert_eq!(world.sizes(), [62, 61]);
    world.apply((0..123).map(|number| vm(number).ready(false))).apply((123..250).map(vm));
    assert_eq!(world.settle(), (1, 2, 0));
    assert_eq!(world.sizes(), [100, 100, 50]);
}

fn slice_service(slice: &Slice) -> crate::core::key::Key {
    crate::core::key::Key::new(&slice.key.namespace, &slice.service)
}

/// The endpoint that a workload gets in a slice of its own.
fn endpoint_of(vm: &ExternalWorkload) -> crate::external_slices::model::Endpoint {
    let mut world = World::new();
    world.apply([web("web")]).apply([vm.clone()]);
    world.settle();
    world.slices_of("web")[0].content.endpoints[0].clone()
}

// Case 70.
#[test]
fn many_small_slices_are_packed_anew_when_all_must_be_written() {
    let mut world = World::new();
    world.apply([web("web")]).apply((0..300).map(vm));
    world.settle();
    let (service, _) = world.state.plan(&slice_service(&world.slices_of("web")[0])).unwrap();
    let content = world.slices_of("web")[0].content.clone();
    for slice in world.slices_of("web") {
        world.slices.delete("ns", &slice.key.name, None).unwrap();
    }
    for group in 0..10 {
        let mut content = content.clone();
        content.endpoints = (group * 30..group * 30 + 30).map(|number| endpoint_of(&vm(number))).collect();
        world.slices.create("ns", object::new(&service, Family::V4, &content)).unwrap();
    }
    world.watch();
    assert_eq!(world.settle(), (0, 0, 0));
    world.apply((0..300).map(|number| vm(number).at_port(9090)));
    assert_eq!(world.settle(), (0, 3, 7));
    assert_eq!(world.sizes(), [100, 100, 100]);
}

#[test]
fn a_few_new_endpoints_go_into_the_one_slice_that_they_fill_best() {
    let mut world = World::new();
    world.apply([web("web")]).apply((0..150).map(vm));
    world.settle();
    assert_eq!(world.sizes(), [100, 50]);
    world.apply((150..190).map(vm));
    assert_eq!(world.settle(), (0, 1, 0));
    assert_eq!(world.sizes(), [100, 90]);
    world.apply((190..201).map(vm));
    assert_eq!(world.settle(), (1, 0, 0), "no slice has room for all of them");
    assert_eq!(world.sizes(), [100, 90, 11]);
}

// Case 71.
#[test]
fn endpoints_are_those_that_the_service_selects_and_as_ready_as_they_say() {
    let mut world = World::new();
    world.apply([web("web")]).apply([vm(1), vm(2).ready(false), vm(3).label("app", "db"), vm(4).namespace("other")]);
    world.settle();
    let slices = world.slices_of("web");
    let endpoints: Vec<_> =
        slices[0].content.endpoints.iter().map(|endpoint| (&*endpoint.workload.name, endpoint.is_ready)).collect();
    assert_eq!(endpoints, [("vm-001", true), ("vm-002", false)]);
    assert_eq!(world.slices.objects()[0]["endpoints"][1]["conditions"]["serving"], false);
    world.apply([vm(1).ready(false), vm(2)]);
    assert_eq!(world.settle(), (0, 1, 0));
    world.apply([vm(3)]);
    world.settle();
    assert_eq!(world.sizes(), [3]);
    world.delete(&vm(3));
    world.settle();
    assert_eq!(world.sizes(), [2]);
}

// Case 71.
#[test]
fn endpoints_of_a_headless_service_have_hostnames() {
    let mut world = World::new();
    let headless = web("web").with(|service| service.spec.cluster_ip = "None".to_owned());
    let dotted = vm(2).with(|vm| vm.metadata.name = "vm.with.dots".to_owned());
    world.apply([headless.clone()]).apply([vm(1), dotted]);
    world.settle();
    let object = &world.slices.objects()[0];
    assert_eq!(object["metadata"]["labels"]["service.kubernetes.io/headless"], "");
    assert_eq!(
        (&object["endpoints"][0]["hostname"], &object["endpoints"][1]["hostname"]),
        (&"vm-001".into(), &json!(null))
    );
    // Without ports it has endpoints all the same.
    world.apply([headless.with(|service| service.spec.ports.clear())]);
    world.settle();
    let object = &world.slices.objects()[0];
    assert_eq!((&object["ports"], object["endpoints"].as_array().unwrap().len()), (&json!([]), 2));
    world.apply([web("web")]);
    world.settle();
    let object = &world.slices.objects()[0];
    assert_eq!(object["metadata"]["labels"]["service.kubernetes.io/headless"], json!(null));
    assert_eq!(object["endpoints"][0]["hostname"], json!(null));
}

#[test]
fn zones_and_deletion_are_those_of_the_workload() {
    let mut world = World::new();
    let deleted = vm(1).label("topology.kubernetes.io/zone", "west").with(|vm| {
        vm.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    });
    world.apply([web("web")]).apply([deleted]);
    world.settle();
    let endpoint = &world.slices.objects()[0]["endpoints"][0];
    assert_eq!((&endpoint["zone"], &endpoint["conditions"]["ready"]), (&json!("west"), &json!(false)));
}

// Case 72.
#[test]
fn labels_of_the_service_are_those_of_all_its_slices() {
    let mut world = World::new();
    world.apply([web("web").label("team", "shop")]).apply((0..150).map(vm));
    world.settle();
    let reserved = web("web")
        .label("tier", "front")
        .label("kubernetes.io/service-name", "other")
        .label("endpointslice.kubernetes.io/managed-by", "me")
        .label("service.kubernetes.io/headless", "");
    world.apply([reserved]);
    assert_eq!(world.settle(), (0, 2, 0));
    for object in world.slices.objects() {
        assert_eq!(
            object["metadata"]["labels"],
            json!({
                "tier": "front", "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "linkerd-external-workloads-controller",
            })
        );
    }
    world.apply([web("web")]);
    assert_eq!(world.settle(), (0, 2, 0), "a label that is removed goes too");
    assert_eq!(world.sizes(), [100, 50]);
}

// Case 73.
#[test]
fn services_without_workloads_of_their_own_cause_no_writes() {
    let deleting = |service: &mut Service| {
        service.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    };
    let others = [
        web("web").with(|service| service.spec.selector = None),
        web("web").with(|service| service.spec.selector = Some([].into())),
        web("web").with(|service| service.spec.type_ = "ExternalName".to_owned()),
        web("web").with(deleting),
        web("web").namespace("kube-system"),
        web("web")
            .label("app", "web")
            .with(|service| service.spec.selector = Some([("app".into(), "db".into())].into())),
    ];
    for (number, service) in others.into_iter().enumerate() {
        let mut world = World::new();
        let workload = if number == 3 { vm(1).label("app", "db") } else { vm(1) };
        world.apply([service.clone()]).apply([workload.namespace(&service.metadata.namespace)]);
        assert_eq!(world.settle(), (0, 0, 0), "{service:?}");
    }
}

// Case 73.
#[test]
fn a_service_that_is_deleted_or_selects_no_more_keeps_what_it_has() {
    let mut world = World::new();
    world.apply([web("web")]).apply([vm(1)]);
    world.settle();
    world.apply([web("web").with(|service| service.spec.selector = None)]);
    assert_eq!(world.settle(), (0, 0, 0));
    let deleting = web("web").with(|service| {
        service.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    });
    world.apply([deleting]).apply([vm(2)]);
    assert_eq!(world.settle(), (0, 1, 0), "slices that it has are kept right");
    world.apply((3..200).map(vm));
    assert_eq!(world.settle(), (0, 1, 0), "none are made");
    world.delete(&web("web"));
    assert_eq!(world.settle(), (0, 0, 0), "the garbage collector deletes them");
}

// Case 73.
#[test]
fn slices_pending_deletion_are_ignored() {
    let mut world = World::new();
    world.apply([web("web")]).apply([vm(1)]);
    world.settle();
    let name = world.slices_of("web")[0].key.name.to_string();
    world.slices.patch("ns", &name, &json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})).unwrap();
    world.watch();
    assert_eq!(world.settle(), (1, 0, 0));
}

#[test]
fn slices_of_another_service_of_the_name_or_of_another_family_go() {
    let mut world = World::new();
    world.apply([web("web")]).apply([vm(1).also_at("2001:db8::1")]);
    world.settle();
    // The Service is made anew, under another UID.
    world.apply([web("web").uid("another")]);
    assert_eq!(world.settle(), (1, 0, 1));
    world.apply([web("web").uid("another").with(|service| service.spec.ip_families = vec!["IPv6".to_owned()])]);
    assert_eq!(world.settle(), (1, 0, 1));
    assert_eq!(families(&world.slices_of("web")), [Family::V6]);
}

#[test]
fn workloads_are_grouped_by_the_ports_that_they_serve() {
    let mut world = World::new();
    let service = web("web").with(|service| {
        service.spec.ports.push(ServicePort { name: "admin".to_owned(), port: 9000, ..ServicePort::default() });
        let udp = linkerd_k8s::pod::Protocol::Udp;
        service.spec.ports.push(ServicePort {
            name: "dns".to_owned(),
            port: 53,
            protocol: udp,
            ..ServicePort::default()
        });
    });
    let add = |vm: &mut ExternalWorkload, port| vm.spec.ports.push(WorkloadPort { port, ..WorkloadPort::default() });
    let full = vm(1).with(|vm| add(vm, 9000));
    let nameless = vm(3).with(|vm| "other".clone_into(&mut vm.spec.ports[0].name));
    world.apply([service]).apply([full, vm(2), nameless.with(|vm| add(vm, 53))]);
    assert_eq!(world.settle(), (3, 0, 0));
    let [admin, http] =
        [("admin", 9000), ("http", 8080)].map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP"}));
    for expected in [json!([]), json!([admin, http]), json!([http])] {
        assert!(world.slices.objects().iter().any(|object| object["ports"] == expected), "{expected}");
    }
}

#[test]
fn two_workloads_of_one_address_are_two_endpoints() {
    let mut world = World::new();
    let twin = vm(2).with(|vm| vm.spec.workload_ips = super::vm(1).spec.workload_ips);
    world.apply([web("web")]).apply([vm(1), twin]);
    world.settle();
    assert_eq!(world.sizes(), [2]);
}

#[test]
fn the_sandbox_makes_its_slices_by_the_same_rules() {
    let vms: Vec<_> = (0..101).map(|number| vm(number).also_at("127.64.0.1")).collect();
    let made = made_of(&web("web"), &vms);
    assert_eq!(made.iter().map(|slice| slice["endpoints"].as_array().unwrap().len()).collect::<Vec<_>>(), [100, 1]);
    assert_eq!(made[0]["endpoints"][0]["addresses"], json!(["10.1.0.0", "127.64.0.1"]));
    assert!(made_of(&web("db"), &vms).is_empty());
}
