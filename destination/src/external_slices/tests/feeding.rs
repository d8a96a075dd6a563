//! Which events make a Service dirty, and how own writes and late events of the watch go together.

use super::*;

fn dirty(world: &mut World) -> Vec<String> {
    world.state.take_dirty().iter().map(|key| key.name.to_string()).collect()
}

/// Services `web` and `db` with one workload each, settled.
fn settled() -> World {
    let mut world = World::new();
    world.apply([web("web"), web("db")]).apply([vm(1), vm(2).label("app", "db")]);
    world.settle();
    assert_eq!(dirty(&mut world), [""; 0]);
    world
}

#[test]
fn only_services_that_an_event_concerns_are_planned_anew() {
    let mut world = settled();
    world.apply([vm(1).ready(false)]);
    assert_eq!(dirty(&mut world), ["web"]);
    world.apply([vm(1).label("app", "db")]);
    assert_eq!(dirty(&mut world), ["db", "web"], "the one that lost it and the one that has it");
    world.apply([vm(1).label("app", "none").namespace("other")]);
    assert_eq!(dirty(&mut world), [""; 0]);
    world.apply([web("web").label("team", "shop")]);
    assert_eq!(dirty(&mut world), ["web"]);
    world.delete(&vm(2));
    assert_eq!(dirty(&mut world), ["db"]);
}

#[test]
fn objects_that_are_listed_again_and_changes_without_effect_do_nothing() {
    let mut world = settled();
    let heartbeat = vm(1).with(|vm| {
        vm.metadata.resource_version = "9".to_owned();
        let other = Condition { type_: "Seen".to_owned(), status: "True".to_owned() };
        vm.status.conditions.push(other);
    });
    world.apply([web("web"), web("db")]).apply([heartbeat, vm(2).label("app", "db")]);
    world.watch();
    assert_eq!(dirty(&mut world), [""; 0]);
}

#[test]
fn what_others_do_to_a_slice_of_ours_is_mended() {
    let mut world = settled();
    let names: Vec<_> = world.slices_of("web").iter().map(|slice| slice.key.name.to_string()).collect();
    let edited = serde_json::json!({"endpoints": []});
    world.slices.patch("ns", &names[0], &edited).unwrap();
    world.watch();
    assert_eq!(world.settle(), (0, 1, 0));
    assert_eq!(world.sizes(), [1]);
    // To another Service, and then to nobody.
    let moved = serde_json::json!({"metadata": {"labels": {"kubernetes.io/service-name": "db"}}});
    world.slices.patch("ns", &names[0], &moved).unwrap();
    world.watch();
    assert_eq!(world.settle(), (1, 0, 1), "web has a slice again, and db gets rid of what is not its own");
    let name = world.slices_of("web")[0].key.name.to_string();
    let disowned = serde_json::json!({"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "me"}}});
    world.slices.patch("ns", &name, &disowned).unwrap();
    world.watch();
    assert_eq!(world.settle(), (1, 0, 0));
    for object in world.slices.objects() {
        world.slices.delete("ns", object["metadata"]["name"].as_str().unwrap(), None).unwrap();
    }
    world.watch();
    assert_eq!(world.settle(), (2, 0, 0));
}

#[test]
fn nothing_is_planned_before_all_kinds_were_listed() {
    let mut world = World { state: State::default(), slices: FakeSlices::default() };
    world.state.lead();
    world.apply([web("web")]).apply([vm(1)]);
    world.list::<Service>(&[web("web").id()]);
    world.list::<EndpointSlice>(&[]);
    assert_eq!(dirty(&mut world), [""; 0]);
    world.list::<ExternalWorkload>(&[vm(1).id()]);
    assert_eq!(dirty(&mut world), ["web"]);
}

#[test]
fn a_list_that_lacks_an_object_is_its_deletion() {
    let mut world = settled();
    world.list::<ExternalWorkload>(&[vm(2).id()]);
    assert_eq!(world.settle(), (0, 0, 1));
    world.list::<Service>(&[]);
    assert_eq!(world.state.sizes(), [0, 1, 1]);
}

#[test]
fn a_replica_that_stands_by_collects_nothing_and_begins_with_everything() {
    let mut world = settled();
    world.state.stand_by();
    world.apply([vm(3), vm(4).label("app", "db")]);
    assert_eq!(dirty(&mut world), [""; 0]);
    world.state.lead();
    assert_eq!(dirty(&mut world), ["db", "web"]);
}

#[test]
fn what_the_watch_tells_of_the_time_before_an_own_write_is_passed_over() {
    let mut world = settled();
    let before = world.slices.all();
    world.apply([vm(3)]);
    let key = world.state.take_dirty().pop_first().unwrap();
    let (_, plan) = world.state.plan(&key).unwrap();
    let (slice, content) = &plan.updates[0];
    let after = world.slices.patch("ns", &slice.key.name, &object::change(slice, content)).unwrap();
    let after: EndpointSlice = serde_json::from_value(after).unwrap();
    world.state.wrote(&after);
    // Late events, and then the event of the write itself.
    world.apply(before.clone()).apply([after.clone()]);
    assert_eq!(dirty(&mut world), [""; 0]);
    assert!(world.state.plan(&key).unwrap().1.is_empty());
    // The same for a slice that was deleted.
    let deleted = project::slice(&after).unwrap();
    world.state.erased(&deleted);
    world.apply([after.clone()]);
    assert_eq!(dirty(&mut world), [""; 0]);
    assert_eq!(world.state.plan(&key).unwrap().1.creates.len(), 1);
    world.delete(&after);
    // A refused write looks for itself, and what it finds counts.
    world.state.found(&before[1]);
    assert_eq!(world.state.plan(&key).unwrap().1.updates.len(), 1);
}

#[test]
fn addresses_that_no_slice_may_have_are_left_out() {
    for ip in
        ["127.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.5", "::1", "fe80::1", "ff02::1", "::", "::ffff:127.0.0.1"]
    {
        let mut world = World::new();
        let both = web("web").with(|service| service.spec.ip_families.clear());
        world.apply([both]).apply([vm(1), vm(2).with(|vm| vm.spec.workload_ips[0].ip = ip.to_owned())]);
        assert_eq!(world.settle(), (1, 0, 0), "{ip}");
        assert_eq!(world.sizes(), [1], "{ip}");
        world.apply([vm(2)]);
        world.settle();
        assert_eq!(world.sizes(), [2]);
    }
}

#[test]
fn a_workload_without_an_address_that_can_be_read_has_no_endpoint() {
    let mut world = World::new();
    let [none, nonsense] = [vm(1), vm(2)];
    let none = none.with(|vm| vm.spec.workload_ips.clear());
    let nonsense = nonsense.with(|vm| vm.spec.workload_ips[0].ip = "1.2.3".to_owned());
    world.apply([web("web")]).apply([none, nonsense]);
    assert_eq!(world.settle(), (0, 0, 0));
}
