//! Random histories of clusters and members, against what is expected of them.

use super::{Remote, World, federated, leave, pod_at};
use crate::{
    core::endpoint::{Locality, TlsIdentity},
    fixtures::{EndpointExt, ServiceExt, SliceExt, node, of_pod, service, slice},
};
use linkerd_k8s::{EndpointSlice, Pod};
use proptest::prelude::*;
use std::{collections::BTreeMap, net::SocketAddr};

/// Names of the clusters, the first of which is this one, in the order of members.
const CLUSTERS: [&str; 3] = ["", "east", "north"];

/// Bit of a pod whose address pods of other clusters have too.
const TWIN: u8 = 3;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A cluster has the pods whose bits are set, as long as it is there.
    Pods { cluster: usize, bits: u8 },
    /// The clusters whose bits are set are members.
    Members { bits: u8 },
    /// A cluster comes, or comes again with other credentials; its lists are complete later, or at once.
    Comes { cluster: usize, is_synced: bool },
    /// The lists of a cluster are complete.
    Synced { cluster: usize },
    /// A cluster goes.
    Goes { cluster: usize },
    /// The client's node is in another zone.
    Zone { zone: u8 },
    /// The Service is deleted, and made again.
    Again,
    /// Time passes.
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let cluster = 1_usize..3;
    prop_oneof![
        6 => (0_usize..3, 0_u8..16).prop_map(|(cluster, bits)| Event::Pods { cluster, bits }),
        3 => (0_u8..8).prop_map(|bits| Event::Members { bits }),
        2 => (cluster.clone(), any::<bool>()).prop_map(|(cluster, is_synced)| Event::Comes { cluster, is_synced }),
        1 => cluster.clone().prop_map(|cluster| Event::Synced { cluster }),
        1 => cluster.prop_map(|cluster| Event::Goes { cluster }),
        1 => (0_u8..3).prop_map(|zone| Event::Zone { zone }),
        1 => Just(Event::Again),
        3 => Just(Event::Tick),
    ]
}

fn zone(number: u8) -> &'static str {
    ["", "zone-0", "zone-1"][usize::from(number)]
}

/// Where a pod is: its address, and its zone.
fn place(cluster: usize, bit: u8) -> (String, u8) {
    let ip = if bit == TWIN { "10.9.0.9".to_owned() } else { format!("10.{cluster}.0.{bit}") };
    (ip, bit % 3)
}

fn pods(cluster: usize, bits: u8) -> (Vec<Pod>, EndpointSlice) {
    let there = (0..=TWIN).filter(|bit| bits >> bit & 1 == 1);
    let made: Vec<_> = there.map(|bit| (pod_at(&format!("pod-{bit}"), &place(cluster, bit).0), bit)).collect();
    let empty = slice("bb", "bb-1").port("http", 8080);
    let slice =
        made.iter().fold(empty, |slice, (pod, bit)| slice.endpoint(of_pod(pod).zone(zone(place(cluster, *bit).1))));
    (made.into_iter().map(|(pod, _)| pod).collect(), slice)
}

/// What was told: of each cluster its pods, once it is known completely.
struct Told {
    pods: [Option<u8>; 3],
    members: u8,
    zone: u8,
}

impl Told {
    /// Trust domain and locality of each address, computed from all that is.
    fn expected(&self) -> BTreeMap<SocketAddr, (String, Locality)> {
        let mut expected = BTreeMap::new();
        for cluster in (0..3).filter(|cluster| self.members >> cluster & 1 == 1) {
            let trust = if cluster == 0 { "trust.domain".to_owned() } else { format!("{}.trust", CLUSTERS[cluster]) };
            for bit in (0..=TWIN).filter(|bit| self.pods[cluster].unwrap_or_default() >> bit & 1 == 1) {
                let (ip, its) = place(cluster, bit);
                let locality = Locality::between(zone(self.zone), zone(its));
                expected.entry(format!("{ip}:8080").parse().unwrap()).or_insert((trust.clone(), locality));
            }
        }
        expected
    }
}

struct Run {
    world: World,
    told: Told,
    /// Each cluster's index, and the one that is to take its place.
    remotes: [(Option<Remote>, Option<Remote>); 3],
    /// What each cluster would tell if it were asked.
    truth: [u8; 3],
    client: super::Client,
}

impl Run {
    fn new() -> Self {
        let world = World::new();
        world.apply(&node("node-1", "")).apply(&service("bb").port("http", 80)).apply(&Self::service(0));
        let client = world.get_from("bb-federated.ns", 80, "node-1");
        let told = Told { pods: [Some(0), None, None], members: 0, zone: 0 };
        Self { world, told, remotes: Default::default(), truth: [0; 3], client }
    }

    fn service(members: u8) -> linkerd_k8s::Service {
        let remote =
            (1..3).filter(|cluster| members >> cluster & 1 == 1).map(|cluster| format!("bb@{}", CLUSTERS[cluster]));
        federated((members & 1 == 1).then_some("bb"), &remote.collect::<Vec<_>>().join(","))
    }

    fn feed(&self, remote: &Remote, cluster: usize) {
        let (pods, slice) = pods(cluster, self.truth[cluster]);
        remote.apply(&self.world, &service("bb").port("http", 80));
        pods.iter().for_each(|pod| remote.apply(&self.world, pod));
        remote.apply(&self.world, &slice);
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Pods { cluster, bits } => {
                self.truth[cluster] = bits;
                if cluster == 0 {
                    let (pods, slice) = pods(0, bits);
                    for pod in &pods {
                        self.world.apply(pod);
                    }
                    self.world.apply(&slice);
                    self.told.pods[0] = Some(bits);
                }
                let (serving, next) = &self.remotes[cluster];
                if let Some(serving) = serving {
                    self.feed(serving, cluster);
                    self.told.pods[cluster] = Some(bits);
                }
                next.iter().for_each(|next| self.feed(next, cluster));
            }
            Event::Members { bits } => {
                self.world.apply(&Self::service(bits));
                self.told.members = bits;
            }
            Event::Comes { cluster, is_synced } => {
                let remote = Remote::new(CLUSTERS[cluster]);
                self.feed(&remote, cluster);
                if self.remotes[cluster].0.is_none() {
                    remote.join(&self.world);
                }
                self.remotes[cluster].1 = Some(remote);
                if is_synced {
                    self.tell(Event::Synced { cluster });
                }
            }
            Event::Synced { cluster } => {
                let Some(next) = self.remotes[cluster].1.take() else { return };
                next.sync(&self.world);
                let old = self.remotes[cluster].0.replace(next);
                assert!(old.is_none_or(|old| old.watched() == (0, 0)), "the index that was replaced is watched");
                self.told.pods[cluster] = Some(self.truth[cluster]);
            }
            Event::Goes { cluster } => {
                leave(&self.world, CLUSTERS[cluster]);
                let old = std::mem::take(&mut self.remotes[cluster]).0;
                assert!(old.is_none_or(|old| old.watched() == (0, 0)), "the index that is gone is watched");
                self.told.pods[cluster] = None;
            }
            Event::Zone { zone: number } => {
                self.world.apply(&node("node-1", zone(number)));
                self.told.zone = number;
            }
            Event::Again => {
                self.world.delete(&Self::service(0));
                assert!(self.client.is_ended());
                self.client.read();
                assert!(self.client.shown().is_empty(), "a Service that is gone has endpoints");
                self.world.apply(&Self::service(self.told.members));
                // While the old stream is still there; it is freed after the new one has begun.
                self.client = match self.world.try_get("bb-federated.ns", 80, "node-1") {
                    Ok(client) => client,
                    Err(_) => {
                        // None of its members can be asked yet; without members it has no endpoints.
                        self.told.members = 0;
                        self.world.apply(&Self::service(0));
                        self.world.get_from("bb-federated.ns", 80, "node-1")
                    }
                };
            }
            Event::Tick => {
                for remote in self.remotes.iter().flat_map(|(serving, _)| serving) {
                    remote.settle(&self.world);
                }
                self.world.settle();
            }
        }
    }

    fn check(&mut self, event: Event) {
        self.client.read();
        let summary = |entry: &crate::core::filter::Entry| match &entry.endpoint.identity {
            Some(TlsIdentity::Workload(name)) => {
                let (_, trust) = name.split_once("identity.linkerd.").unwrap();
                (trust.to_owned(), entry.locality)
            }
            other => panic!("{other:?}"),
        };
        let shown: BTreeMap<_, _> =
            self.client.shown().iter().map(|(address, entry)| (*address, summary(entry))).collect();
        let expected = self.told.expected();
        for address in shown.keys() {
            assert!(expected.contains_key(address), "{address} is stale after {event:?}");
        }
        if matches!(event, Event::Tick) {
            assert_eq!(shown, expected);
            if let Ok(new) = self.world.try_get("bb-federated.ns", 80, "node-1") {
                assert_eq!(new.newest().set(), self.client.newest().set());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Cases 48 and 87: replayed messages amount to the union of what members have, whatever clusters do;
    /// nothing is stale after any event, and what nobody watches is freed, in all clusters.
    #[test]
    fn messages_of_federated_services_amount_to_what_is_true(events in prop::collection::vec(event(), 1..80)) {
        let mut run = Run::new();
        for event in events.into_iter().chain([Event::Tick]) {
            run.tell(event);
            run.check(event);
        }
        drop(run.client);
        prop_assert_eq!((run.world.watched(), run.world.index().federated().sizes()), ((0, 0, 0), (0, 0)));
        for remote in run.remotes.iter().flat_map(|(serving, next)| serving.iter().chain(next)) {
            prop_assert_eq!(remote.watched(), (0, 0));
        }
    }
}
