//! Random histories of a cluster, against a naive computation of what they amount to.
//!
//! `PROPTEST_CASES` says how many histories are tried, of up to 120 events each.

use super::world::{Client, ProfileClient, World, config};
use crate::{
    core::{
        endpoint::{Locality, Protocol, TlsIdentity},
        filter::Entry,
        profile::Profile,
    },
    fixtures::{
        EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, node, of_pod, opaque_server, pod, replica_set, service,
        slice,
    },
};
use linkerd_k8s::{
    EndpointSlice, Node, ObjectId, Pod, ReplicaSet, Resource, Server, Service, pod::Phase, ports::PortName,
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

const NAMESPACES: [&str; 2] = ["a", "b"];
const NODES: [&str; 2] = ["node-0", "node-1"];
const PORT: u16 = 80;

/// One thing that happens. The numbers choose among few names, so that histories meet themselves.
#[derive(Clone, Copy, Debug)]
enum Event {
    Pod {
        ns: usize,
        name: u8,
        ip: u8,
        look: u8,
    },
    Slice {
        ns: usize,
        name: u8,
        service: u8,
        pods: [u8; 3],
        look: u8,
    },
    Service {
        ns: usize,
        name: u8,
        look: u8,
    },
    Server {
        ns: usize,
        look: u8,
    },
    ReplicaSet {
        ns: usize,
        look: u8,
    },
    Node {
        name: u8,
        zone: u8,
    },
    Delete {
        kind: u8,
        ns: usize,
        name: u8,
    },
    /// A list that lacks some of what is there, as after deletions that went unnoticed.
    Relist {
        kind: u8,
        keep: u8,
    },
    /// Time passes, and slow clients read.
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let (ns, name, look) = (0..2_usize, 0..4_u8, any::<u8>());
    prop_oneof![
        8 => (ns.clone(), name.clone(), 0..4_u8, look).prop_map(|(ns, name, ip, look)| Event::Pod { ns, name, ip, look }),
        8 => (ns.clone(), 0..3_u8, 0..2_u8, any::<[u8; 3]>(), look)
            .prop_map(|(ns, name, service, pods, look)| Event::Slice { ns, name, service, pods, look }),
        3 => (ns.clone(), 0..2_u8, look).prop_map(|(ns, name, look)| Event::Service { ns, name, look }),
        1 => (ns.clone(), look).prop_map(|(ns, look)| Event::Server { ns, look }),
        1 => (ns.clone(), look).prop_map(|(ns, look)| Event::ReplicaSet { ns, look }),
        1 => (0..2_u8, 0..3_u8).prop_map(|(name, zone)| Event::Node { name, zone }),
        4 => (0..6_u8, ns, name).prop_map(|(kind, ns, name)| Event::Delete { kind, ns, name }),
        2 => (0..6_u8, any::<u8>()).prop_map(|(kind, keep)| Event::Relist { kind, keep }),
        3 => Just(Event::Tick),
    ]
}

/// The objects that an index was told of.
#[derive(Default)]
struct Told {
    pods: BTreeMap<ObjectId, Pod>,
    slices: BTreeMap<ObjectId, EndpointSlice>,
    services: BTreeMap<ObjectId, Service>,
    servers: BTreeMap<ObjectId, Server>,
    replica_sets: BTreeMap<ObjectId, ReplicaSet>,
    nodes: BTreeMap<ObjectId, Node>,
}

fn a_pod(ns: usize, name: u8, ip: u8, look: u8) -> Pod {
    let made = pod(&format!("pod-{name}")).namespace(NAMESPACES[ns]).uid(["", "1", "2"][usize::from(look) % 3]);
    let made = made.ip(&format!("10.0.0.{ip}")).on(NODES[usize::from(look >> 2) % 2]).account(&format!("sa-{name}"));
    let made = made.port("http", 8080).label("app", if look & 8 == 0 { "web" } else { "other" });
    let made = made.owner("ReplicaSet", "set").phase(if look & 16 == 0 { Phase::Running } else { Phase::Failed });
    if look & 32 == 0 { made.meshed() } else { made }
}

fn a_slice(ns: usize, name: u8, service: u8, pods: [u8; 3], look: u8) -> EndpointSlice {
    let port = if look & 1 == 0 { 8080 } else { 8081 };
    let empty = slice(&format!("svc-{service}"), &format!("slice-{name}")).namespace(NAMESPACES[ns]).port("http", port);
    let endpoint = |bits: u8| {
        // Name, address and UID as the pod may have them, had them, or never had.
        let of = a_pod(ns, bits & 3, bits >> 2 & 3, bits >> 4 & 3);
        let endpoint = if bits & 64 == 0 { of_pod(&of) } else { bare(&format!("10.0.0.{}", bits & 3)) };
        let endpoint = endpoint.zone(["zone-0", "zone-1"][usize::from(bits >> 3 & 1)]).ready(bits & 128 == 0);
        if look & 2 == 0 { endpoint } else { endpoint.for_zones(&[["zone-0", "zone-1"][usize::from(bits & 1)]]) }
    };
    pods.into_iter().take(usize::from(look >> 2 & 3)).map(endpoint).fold(empty, SliceExt::endpoint)
}

fn a_service(ns: usize, name: u8, look: u8) -> Service {
    let made = service(&format!("svc-{name}")).namespace(NAMESPACES[ns]);
    let made = if look & 3 == 0 { made } else { made.port("http", PORT) };
    let made = if look & 4 == 0 { made } else { made.cluster_ip(&format!("10.0.0.{}", look >> 3 & 3)) };
    if look & 224 == 0 { made.local_traffic() } else { made }
}

fn a_server(ns: usize, look: u8) -> Server {
    let port = if look & 1 == 0 { PortName::Number(8081) } else { PortName::Name("http".to_owned()) };
    opaque_server("server", if look & 2 == 0 { "web" } else { "other" }, port).namespace(NAMESPACES[ns])
}

fn a_replica_set(ns: usize, look: u8) -> ReplicaSet {
    let set = replica_set("set").namespace(NAMESPACES[ns]);
    if look & 1 == 0 { set } else { set.owner("Deployment", "web") }
}

/// An index, what it was told, and clients of it.
struct Run {
    world: World,
    told: Told,
    /// Clients that read after every event, with Service and node.
    fast: Vec<(usize, String, &'static str, Client)>,
    /// Clients that read at ticks alone.
    slow: Vec<(usize, String, &'static str, Client)>,
    profiles: Vec<(String, ProfileClient, Option<Profile>)>,
}

impl Run {
    fn new() -> Self {
        let (world, mut told) = (World::new(), Told::default());
        for ns in 0..2 {
            for name in 0..2 {
                let made = a_service(ns, name, 1);
                world.apply(&made);
                told.services.insert(made.id(), made);
            }
        }
        let clients = || {
            let each = |ns: usize| (0..2).flat_map(move |i| NODES.map(|node| (ns, format!("svc-{i}"), node)));
            let join = |(ns, name, node): (usize, String, &'static str)| {
                let client = world.get_from(&format!("{name}.{}", NAMESPACES[ns]), PORT, node);
                (ns, name, node, client)
            };
            (0..2).flat_map(each).map(join).collect::<Vec<_>>()
        };
        let (fast, slow) = (clients(), clients());
        let profiles = (0..4).map(|i| format!("10.0.0.{i}"));
        let profiles = profiles.map(|ip| (ip.clone(), world.profile(&ip, 8080), None)).collect();
        Self { world, told, fast, slow, profiles }
    }

    /// Tells the index; returns the namespace that the event is about, if it is about one.
    fn tell(&mut self, event: Event) -> Option<usize> {
        let Self { world, told, .. } = self;
        macro_rules! apply {
            ($map:ident, $object:expr) => {{
                let object = $object;
                world.apply(&object);
                told.$map.insert(object.id(), object);
            }};
        }
        macro_rules! delete {
            ($map:ident, $id:expr) => {
                if let Some(object) = told.$map.remove(&$id) {
                    world.delete(&object);
                }
            };
        }
        macro_rules! relist {
            ($map:ident, $type:ty, $keep:expr) => {{
                let mut i = 0_u32;
                told.$map.retain(|_, _| {
                    i += 1;
                    $keep.rotate_left(i) & 3 != 0
                });
                world.relist::<$type>(&told.$map.keys().cloned().collect::<Vec<_>>());
            }};
        }
        match event {
            Event::Pod { ns, name, ip, look } => apply!(pods, a_pod(ns, name, ip, look)),
            Event::Slice { ns, name, service, pods, look } => apply!(slices, a_slice(ns, name, service, pods, look)),
            Event::Service { ns, name, look } => apply!(services, a_service(ns, name, look)),
            Event::Server { ns, look } => apply!(servers, a_server(ns, look)),
            Event::ReplicaSet { ns, look } => apply!(replica_sets, a_replica_set(ns, look)),
            Event::Node { name, zone } => {
                apply!(nodes, node(NODES[usize::from(name)], ["zone-0", "zone-1", ""][usize::from(zone)]));
            }
            Event::Delete { kind, ns, name } => {
                let id = |kind: &str| ObjectId::new(NAMESPACES[ns], format!("{kind}-{name}"));
                match kind {
                    0 => delete!(pods, id("pod")),
                    1 => delete!(slices, id("slice")),
                    2 => delete!(services, id("svc")),
                    3 => delete!(servers, ObjectId::new(NAMESPACES[ns], "server")),
                    4 => delete!(replica_sets, ObjectId::new(NAMESPACES[ns], "set")),
                    _ => delete!(nodes, ObjectId::new("", format!("node-{name}"))),
                }
            }
            Event::Relist { kind, keep } => match kind {
                0 => relist!(pods, Pod, keep),
                1 => relist!(slices, EndpointSlice, keep),
                2 => relist!(services, Service, keep),
                3 => relist!(servers, Server, keep),
                4 => relist!(replica_sets, ReplicaSet, keep),
                _ => relist!(nodes, Node, keep),
            },
            Event::Tick => world.settle(),
        }
        match event {
            Event::Pod { ns, .. }
            | Event::Slice { ns, .. }
            | Event::Service { ns, .. }
            | Event::Server { ns, .. }
            | Event::ReplicaSet { ns, .. } => Some(ns),
            Event::Delete { kind: 0..5, ns, .. } => Some(ns),
            Event::Node { .. } | Event::Delete { .. } | Event::Relist { .. } | Event::Tick => None,
        }
    }

    fn check(&mut self, event: Event, namespace: Option<usize>) {
        let is_tick = matches!(event, Event::Tick);
        for (ns, name, node, client) in &mut self.fast {
            let messages = client.read();
            let is_concerned = namespace.is_none_or(|namespace| namespace == *ns);
            assert!(is_concerned || messages.is_empty(), "an event of another namespace sent {messages:?}");
            let expected = self.told.expected(*ns, name, node);
            let shown = summaries(client);
            for (address, entry) in &shown {
                assert_eq!(Some(entry), expected.get(address), "{address} of {name} for {node}");
            }
            assert!(!is_tick || shown == expected, "{shown:#?} is not {expected:#?}");
        }
        let slow = if is_tick { self.slow.as_mut_slice() } else { &mut [] };
        for (ns, name, node, client) in slow {
            client.read();
            assert_eq!(summaries(client), self.told.expected(*ns, name, node));
        }
        if is_tick {
            self.compare_with_new_index();
        }
    }

    /// An index that is told the same objects, once each, shows the same.
    fn compare_with_new_index(&mut self) {
        let world = World::with(config());
        let Told { pods, slices, services, servers, replica_sets, nodes } = &self.told;
        for object in services.values() {
            world.apply(object);
        }
        for object in slices.values() {
            world.apply(object);
        }
        for object in pods.values() {
            world.apply(object);
        }
        for object in servers.values() {
            world.apply(object);
        }
        for object in replica_sets.values() {
            world.apply(object);
        }
        for object in nodes.values() {
            world.apply(object);
        }
        for (ns, name, node, client) in &mut self.fast {
            match world.try_get(&format!("{name}.{}", NAMESPACES[*ns]), PORT, node) {
                Ok(new) => assert_eq!(new.newest().set(), client.newest().set()),
                Err(_) => assert!(client.shown().is_empty()),
            }
        }
        for (ip, client, last) in &mut self.profiles {
            *last = client.read().or_else(|| last.take());
            // A conflict refuses a new stream, while an open one is shown nothing of either.
            let Ok(mut new) = world.try_profile(ip, 8080, "") else { continue };
            assert_eq!(new.read(), *last, "profile of {ip}");
        }
    }
}

/// What a test sees of an endpoint.
#[derive(Debug, PartialEq)]
struct Summary {
    pod: Option<String>,
    owner: Option<String>,
    identity: Option<String>,
    opaque: bool,
    locality: Locality,
}

fn summaries(client: &Client) -> BTreeMap<SocketAddr, Summary> {
    let summary = |entry: &Entry| Summary {
        pod: entry.endpoint.labels.get("pod").map(str::to_owned),
        owner: ["deployment", "replicaset"].iter().find_map(|key| entry.endpoint.labels.get(key).map(str::to_owned)),
        identity: entry.endpoint.identity.as_ref().map(|identity| match identity {
            TlsIdentity::Workload(name) => name.to_string(),
            other => panic!("{other:?}"),
        }),
        opaque: entry.endpoint.hint.is_some_and(|hint| hint.protocol == Some(Protocol::Opaque)),
        locality: entry.locality,
    };
    client.shown().iter().map(|(address, entry)| (*address, summary(entry))).collect()
}

/// An address with what decides whether a client gets it.
struct Known {
    address: SocketAddr,
    summary: Summary,
    hints: Vec<String>,
    node: Option<String>,
    rank: u8,
}

impl Told {
    /// What a client on a node is to be shown of a Service, computed from all objects.
    fn expected(&self, ns: usize, name: &str, node: &str) -> BTreeMap<SocketAddr, Summary> {
        let Some(service) = self.services.get(&ObjectId::new(NAMESPACES[ns], name)) else { return BTreeMap::new() };
        let zone = |node: &str| {
            let node = self.nodes.get(&ObjectId::new("", node));
            node.and_then(|node| node.metadata.label("topology.kubernetes.io/zone")).unwrap_or_default().to_owned()
        };
        let (zone, is_local) = (zone(node), service.spec.internal_traffic_policy == "Local");
        let mut known = self.addresses(ns, name, service, &zone);
        if is_local {
            known.retain(|known| known.node.as_deref() == Some(node));
        } else if known.iter().all(|known| !known.hints.is_empty())
            && known.iter().any(|known| known.hints.contains(&zone))
        {
            known.retain(|known| known.hints.contains(&zone));
        }
        let mut shown: BTreeMap<SocketAddr, Known> = BTreeMap::new();
        for one in known {
            if shown.get(&one.address).is_none_or(|other| other.rank < one.rank) {
                shown.insert(one.address, one);
            }
        }
        shown.into_iter().map(|(address, known)| (address, known.summary)).collect()
    }

    fn addresses(&self, ns: usize, name: &str, service: &Service, zone: &str) -> Vec<Known> {
        let mut known = Vec::new();
        let is_its = |slice: &&EndpointSlice| {
            slice.metadata.namespace == NAMESPACES[ns]
                && slice.metadata.label("kubernetes.io/service-name") == Some(name)
        };
        for slice in self.slices.values().filter(is_its) {
            let is_listed = service.spec.ports.iter().any(|port| port.port == PORT);
            let port = if is_listed { slice.ports[0].port.unwrap() } else { PORT };
            for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready == Some(true)) {
                let address = SocketAddr::new(endpoint.addresses[0].parse::<IpAddr>().unwrap(), port);
                let hints = endpoint.hints.for_zones.iter().map(|hint| hint.name.clone()).collect();
                let locality = |endpoint_zone: &str| match zone {
                    "" => Locality::Unknown,
                    zone if zone == endpoint_zone => Locality::Local,
                    _ => Locality::Remote,
                };
                let Some(target) = &endpoint.target_ref else {
                    let summary =
                        Summary { pod: None, owner: None, identity: None, opaque: false, locality: Locality::Unknown };
                    known.push(Known { address, summary, hints, node: None, rank: 1 });
                    continue;
                };
                let pod = self.pods.get(&ObjectId::new(&target.namespace, &target.name));
                let is_same = |uid: &str| uid == target.uid || uid.is_empty() || target.uid.is_empty();
                let Some(pod) = pod.filter(|pod| is_same(&pod.metadata.uid)) else { continue };
                let summary = self.summary(pod, port, locality(&endpoint.zone));
                let node = Some(pod.spec.node_name.clone());
                let rank = if pod.status.phase == Phase::Failed { 0 } else { 2 };
                known.push(Known { address, summary, hints, node, rank });
            }
        }
        known
    }

    fn summary(&self, pod: &Pod, port: u16, locality: Locality) -> Summary {
        let (namespace, account) = (&pod.metadata.namespace, &pod.spec.service_account_name);
        let is_meshed = pod.metadata.label("linkerd.io/control-plane-ns").is_some();
        let server = self.servers.get(&ObjectId::new(namespace, "server"));
        let is_opaque = server.is_some_and(|server| {
            let is_port = match &server.spec.port {
                PortName::Number(number) => *number == port,
                PortName::Name(_) => port == 8080,
            };
            is_port && server.spec.pod_selector.as_ref().unwrap().match_labels["app"] == pod.metadata.labels["app"]
        });
        let set = self.replica_sets.get(&ObjectId::new(namespace, "set"));
        let is_deployed = set.is_some_and(|set| !set.metadata.owner_references.is_empty());
        Summary {
            pod: Some(pod.metadata.name.clone()),
            owner: Some(if is_deployed { "web" } else { "set" }.to_owned()),
            identity: is_meshed.then(|| format!("{account}.{namespace}.serviceaccount.identity.linkerd.trust.domain")),
            opaque: is_meshed && is_opaque,
            locality,
        }
    }
}

/// Histories that are tried: enough for a first look, unless the environment says otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Replayed messages equal a naive full recomputation after every event; an event in one namespace
    /// sends nothing in the other; no address of a pod that is gone is shown.
    #[test]
    fn messages_amount_to_what_is_true(events in prop::collection::vec(event(), 1..120)) {
        let mut run = Run::new();
        run.check(Event::Tick, None);
        for event in events.into_iter().chain([Event::Tick]) {
            let namespace = run.tell(event);
            run.check(event, namespace);
        }
        drop((run.fast, run.slow, run.profiles));
        prop_assert_eq!(run.world.watched(), (0, 0, 0));
    }
}
