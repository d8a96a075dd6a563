//! The planner against random histories.

use super::*;
use crate::external_slices::{model::Port, pack::MAX_ENDPOINTS};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Event {
    /// These many workloads from this number on appear or change.
    Apply { from: u16, count: u16, ready: bool, port: u16, v6: bool },
    /// These many workloads from this number on go.
    Delete { from: u16, count: u16 },
    /// The Service is changed.
    Service { label: u8, families: u8, headless: bool },
    /// Somebody takes endpoints out of a slice, and doubles the others in another slice.
    Meddle { slice: usize },
    /// Another Service of the name.
    Anew { uid: u8 },
}

fn event() -> impl Strategy<Value = Event> {
    let number = 0_u16..320;
    prop_oneof![
        6 => (number.clone(), 1_u16..150, any::<bool>(), 8080_u16..8083, any::<bool>())
            .prop_map(|(from, count, ready, port, v6)| Event::Apply { from, count, ready, port, v6 }),
        3 => (number, 1_u16..150).prop_map(|(from, count)| Event::Delete { from, count }),
        2 => (0_u8..3, 0_u8..4, any::<bool>())
            .prop_map(|(label, families, headless)| Event::Service { label, families, headless }),
        1 => any::<usize>().prop_map(|slice| Event::Meddle { slice }),
        1 => (0_u8..2).prop_map(|uid| Event::Anew { uid }),
    ]
}

/// What should be, kept apart from what is tested.
struct Model {
    world: World,
    vms: BTreeMap<u16, ExternalWorkload>,
    service: Service,
}

impl Model {
    fn new() -> Self {
        let mut world = World::new();
        let service = web("web");
        world.apply([service.clone()]);
        Self { world, vms: BTreeMap::new(), service }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Apply { from, count, ready, port, v6 } => {
                for number in from..from + count {
                    let vm = vm(number).ready(ready).at_port(port);
                    let vm = if v6 { vm.also_at(&format!("2001:db8::{number:x}")) } else { vm };
                    self.vms.insert(number, vm.clone());
                    self.world.apply([vm]);
                }
            }
            Event::Delete { from, count } => {
                let gone: Vec<u16> = self.vms.range(from..from + count).map(|(number, _)| *number).collect();
                for vm in gone.iter().filter_map(|number| self.vms.remove(number)).collect::<Vec<_>>() {
                    self.world.delete(&vm);
                }
            }
            Event::Service { label, families, headless } => {
                let named = ["IPv4", "IPv6"].iter().enumerate().filter(|(bit, _)| families & (1 << bit) != 0);
                let named = named.map(|(_, name)| (*name).to_owned()).collect();
                self.service = web("web").uid(&self.service.metadata.uid).label("rev", &label.to_string());
                self.service.spec.ip_families = named;
                self.service.spec.cluster_ip = if headless { "None" } else { "10.0.0.1" }.to_owned();
                self.world.apply([self.service.clone()]);
            }
            Event::Meddle { slice } => self.meddle(slice),
            Event::Anew { uid } => {
                self.service.metadata.uid = format!("uid-{uid}");
                self.world.apply([self.service.clone()]);
            }
        }
    }

    fn meddle(&mut self, slice: usize) {
        let objects = self.world.slices.objects();
        if objects.is_empty() {
            return;
        }
        let mut object = objects[slice % objects.len()].clone();
        let mut endpoints = object["endpoints"].as_array().unwrap().clone();
        object["endpoints"] = endpoints.split_off(endpoints.len() / 2).into();
        object["metadata"]["generateName"] = "doubled-".into();
        let doubled: Vec<_> = endpoints.iter().chain(&endpoints).collect();
        let patch = serde_json::json!({"endpoints": doubled});
        let name = objects[slice % objects.len()]["metadata"]["name"].as_str().unwrap().to_owned();
        self.world.slices.patch("ns", &name, &patch).unwrap();
        self.world.slices.create("ns", object).unwrap();
        self.world.watch();
    }

    /// Every endpoint that should be: its family, ports, name, address and readiness.
    fn wanted(&self) -> Vec<(bool, u16, String, String, bool)> {
        let named = &self.service.spec.ip_families;
        let has = |name: &str| named.is_empty() || named.iter().any(|known| known == name);
        let mut wanted = Vec::new();
        for vm in self.vms.values() {
            for entry in &vm.spec.workload_ips {
                let is_v6 = entry.ip.contains(':');
                if has(if is_v6 { "IPv6" } else { "IPv4" }) {
                    let port = vm.spec.ports[0].port;
                    wanted.push((is_v6, port, vm.metadata.name.clone(), entry.ip.clone(), vm.is_ready()));
                }
            }
        }
        wanted.sort();
        wanted
    }

    fn served(&self) -> Vec<(bool, u16, String, String, bool)> {
        let mut served = Vec::new();
        for slice in self.world.slices_of("web") {
            let [Port { number, .. }] = &*slice.content.ports else { panic!("{:?}", slice.content.ports) };
            for endpoint in &slice.content.endpoints {
                let [ip] = &*endpoint.addresses else { panic!("{endpoint:?}") };
                let is_v6 = slice.family == Some(Family::V6);
                served.push((is_v6, *number, endpoint.workload.name.to_string(), ip.to_string(), endpoint.is_ready));
            }
        }
        served.sort();
        served
    }

    /// Where each endpoint is.
    fn places(&self) -> BTreeMap<(String, bool, u16), String> {
        let mut places = BTreeMap::new();
        for slice in self.world.slices_of("web") {
            for endpoint in &slice.content.endpoints {
                let is_v6 = slice.family == Some(Family::V6);
                let name = endpoint.workload.name.to_string();
                places.insert((name, is_v6, slice.content.ports[0].number), slice.key.name.to_string());
            }
        }
        places
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_wanted_endpoint_is_in_one_slice_and_then_nothing_is_left_to_write(events in vec(event(), 1..12)) {
        let mut model = Model::new();
        for event in events {
            let before = model.places();
            let stays = matches!(event, Event::Apply { .. } | Event::Delete { .. });
            model.happen(event);
            let slices = model.world.slices_of("web").len();
            let (creates, updates, deletes) = model.world.settle();
            prop_assert_eq!(model.served(), model.wanted());
            for slice in model.world.slices_of("web") {
                let size = slice.content.endpoints.len();
                prop_assert!((1..=MAX_ENDPOINTS).contains(&size), "{size} endpoints");
                prop_assert_eq!(&*slice.owner, model.service.metadata.uid.as_str());
            }
            // One write for a slice at most.
            prop_assert!(updates + deletes <= slices, "{updates} updates and {deletes} deletes of {slices}");
            prop_assert!(creates <= model.world.slices_of("web").len());
            let after = model.places();
            let moved = before.iter().filter(|(key, place)| after.get(key).is_some_and(|now| now != *place));
            prop_assert!(!stays || moved.count() == 0, "an endpoint moved");
            // A second plan is empty, whatever the watch tells again.
            let key = model.world.slices_of("web").first().map(|slice| slice.key.namespace.clone());
            let key = crate::core::key::Key { namespace: key.unwrap_or_else(|| "ns".into()), name: "web".into() };
            let (_, plan) = model.world.state.plan(&key).unwrap();
            prop_assert!(plan.is_empty(), "{plan:?}");
            prop_assert!(model.world.state.take_dirty().is_empty());
        }
    }
}
