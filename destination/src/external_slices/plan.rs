//! Which slices to create, change and delete, so that they hold what is wanted with the fewest writes.

use super::{
    model::{Content, Endpoint, Family, Port, Service, Slice, Target, Workload},
    pack::{Packed, pack},
    project::MANAGER,
};
use crate::core::workload::Labels;
use linkerd_k8s::names::label;
use std::{collections::BTreeMap, sync::Arc};

/// Labels of slices that a Service cannot set.
const RESERVED: [&str; 3] = [label::SERVICE_NAME, label::ENDPOINT_SLICE_MANAGED_BY, label::HEADLESS_SERVICE];

/// What to write, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New slices.
    pub creates: Vec<(Family, Content)>,
    /// Slices with what they come to hold; those that gain endpoints first.
    pub updates: Vec<(Slice, Content)>,
    /// Slices that go.
    pub deletes: Vec<Slice>,
}

impl Plan {
    /// Whether everything is as it should be.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.updates.is_empty() && self.deletes.is_empty()
    }
}

/// Plans the slices of a Service from the workloads that it selects and the slices that it has.
pub fn plan<'a>(service: &Service, workloads: impl IntoIterator<Item = &'a Workload>, slices: &[&Slice]) -> Plan {
    let mut slices: Vec<&Slice> = slices.iter().copied().filter(|slice| !slice.is_deleting).collect();
    slices.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let labels = slice_labels(service);
    let workloads: Vec<_> = workloads.into_iter().map(|workload| (ports(service, workload), workload)).collect();
    let mut plan = Plan::default();
    for family in service.families.iter().copied() {
        let (present, others): (Vec<_>, Vec<_>) = slices.into_iter().partition(|slice| slice.family == Some(family));
        slices = others;
        let mut wanted: BTreeMap<&[Port], Vec<Endpoint>> = BTreeMap::new();
        for (ports, workload) in &workloads {
            if let Some(endpoint) = endpoint(service, workload, family) {
                wanted.entry(ports).or_default().push(endpoint);
            }
        }
        plan_family(&mut plan, service, &labels, family, wanted, present);
    }
    plan.deletes.extend(slices.into_iter().cloned());
    if service.is_deleting {
        plan.creates.clear();
    }
    // An endpoint that moves is in both slices for a moment rather than in none.
    plan.updates.sort_by_key(|(slice, content)| !gains(&slice.content, content));
    plan
}

fn plan_family(
    plan: &mut Plan,
    service: &Service,
    labels: &Labels,
    family: Family,
    wanted: BTreeMap<&[Port], Vec<Endpoint>>,
    present: Vec<&Slice>,
) {
    let (mut ours, foreign): (Vec<&Slice>, Vec<&Slice>) =
        present.into_iter().partition(|slice| slice.owner == service.uid);
    let mut creates = Vec::new();
    let mut spare = Vec::new();
    for (ports, endpoints) in wanted {
        let (group, others): (Vec<_>, Vec<_>) = ours.into_iter().partition(|slice| *slice.content.ports == *ports);
        ours = others;
        let Packed { changed, new, emptied } = pack(labels, endpoints, group);
        let content = |endpoints| Content { labels: labels.clone(), ports: ports.into(), endpoints };
        plan.updates.extend(changed.into_iter().map(|(slice, endpoints)| (slice.clone(), content(endpoints))));
        creates.extend(new.into_iter().map(content));
        spare.extend(emptied);
    }
    // A slice that would go takes what a new one would hold: one write instead of two.
    let mut spare = spare.into_iter().chain(ours);
    for content in creates {
        match spare.next() {
            Some(slice) => plan.updates.push((slice.clone(), content)),
            None => plan.creates.push((family, content)),
        }
    }
    plan.deletes.extend(spare.chain(foreign).cloned());
}

fn gains(before: &Content, after: &Content) -> bool {
    let is_new = |endpoint: &Endpoint| !before.endpoints.iter().any(|known| known.identity() == endpoint.identity());
    before.ports != after.ports || after.endpoints.iter().any(is_new)
}

/// Labels of the slices of a Service.
fn slice_labels(service: &Service) -> Labels {
    let inherited = service.labels.iter().filter(|(key, _)| !RESERVED.contains(&&***key));
    let mut own: Vec<(&str, Arc<str>)> =
        vec![(label::SERVICE_NAME, service.key.name.clone()), (label::ENDPOINT_SLICE_MANAGED_BY, MANAGER.into())];
    if service.is_headless {
        own.push((label::HEADLESS_SERVICE, "".into()));
    }
    let own = own.into_iter().map(|(key, value)| (key.into(), value));
    inherited.map(|(key, value)| (key.clone(), value.clone())).chain(own).collect()
}

/// The ports of a Service that a workload serves, in order.
fn ports(service: &Service, workload: &Workload) -> Vec<Port> {
    let resolve = |port: &super::model::ServicePort| {
        let mut fitting = workload.ports.iter().filter(|known| known.protocol == port.protocol);
        let found = fitting.find(|known| match &port.target {
            Target::Number(number) => known.number == *number,
            Target::Name(name) => known.name == *name,
        });
        found.map(|known| Port { name: port.name.clone(), number: known.number, protocol: port.protocol })
    };
    let mut ports: Vec<Port> = service.ports.iter().filter_map(resolve).collect();
    ports.sort_unstable();
    ports
}

/// The endpoint of a workload, if it has addresses of the family.
fn endpoint(service: &Service, workload: &Workload, family: Family) -> Option<Endpoint> {
    let addresses: Box<[_]> = workload.ips.iter().copied().filter(|ip| family.has(ip)).collect();
    if addresses.is_empty() {
        return None;
    }
    // A name with dots cannot be one label of a DNS name; the address is served all the same.
    let has_hostname = service.is_headless && is_dns_label(&workload.key.name);
    Some(Endpoint {
        workload: workload.key.clone(),
        uid: workload.uid.clone(),
        addresses,
        hostname: if has_hostname { workload.key.name.clone() } else { "".into() },
        zone: workload.zone.clone(),
        node: "".into(),
        is_ready: workload.is_ready,
        is_serving: workload.is_ready,
        is_terminating: false,
    })
}

fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.')
}
