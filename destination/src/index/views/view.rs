//! One port of one watched Service.

use crate::{
    core::{
        filter::{Candidate, Client, Rules, depends_on_node, select},
        key::Key,
        port::TargetPort,
        service::{SetLabels, Slice},
    },
    index::{
        cluster::Cluster,
        snapshot::{EndpointSet, Snapshot},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};
use tokio::sync::watch;

/// A Service and the slices that are known to be its own.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) service: &'a Key,
    pub(super) slices: &'a BTreeMap<Arc<str>, Arc<Slice>>,
}

/// What may have changed for a view.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Slices whose endpoints are to be translated again.
    pub(super) slices: BTreeSet<Arc<str>>,
    /// Whether all are: the Service's ports may be others now.
    pub(super) all: bool,
}

/// The endpoints of a port, and the streams that are shown them.
///
/// A stream belongs to the group of its node. Groups that are told the same share a snapshot.
#[derive(Debug)]
pub(super) struct View {
    /// Number that no other view of the index has.
    id: u64,
    port: u16,
    hostname: Option<Arc<str>>,
    /// Translated endpoints by slice.
    candidates: BTreeMap<Arc<str>, Vec<Candidate>>,
    snapshots: BTreeMap<Client, Arc<Snapshot>>,
    groups: HashMap<Arc<str>, Group>,
    pace: Pace,
    /// When the first of the changes that wait was observed.
    waiting: Option<Instant>,
    /// Changes that were published.
    updates: u64,
    /// Seats of Services that the view's Service is a member of.
    members: usize,
}

#[derive(Debug)]
struct Group {
    cell: watch::Sender<Arc<Snapshot>>,
    subscribers: usize,
}

/// How much is watched of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewCounts {
    /// Streams.
    pub subscribers: usize,
    /// Endpoints that some of the streams are shown.
    pub endpoints: usize,
    /// Whether the Service exists.
    pub exists: bool,
    /// Changes that were published.
    pub updates: u64,
}

/// Additions are published at once when nothing else was of late; else they wait for the next tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing was published since the last tick.
    Quiet,
    /// Something was.
    Busy {
        /// Whether additions wait.
        pending: bool,
    },
}

impl View {
    pub(super) fn new(id: u64, port: u16, hostname: Option<Arc<str>>) -> Self {
        Self {
            id,
            port,
            hostname,
            candidates: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            groups: HashMap::new(),
            pace: Pace::Quiet,
            waiting: None,
            updates: 0,
            members: 0,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// How many Services hear of what the view publishes.
    pub(super) fn members(&mut self) -> &mut usize {
        &mut self.members
    }

    /// Adds a stream of a client on a node.
    pub(super) fn join(&mut self, node: &Arc<str>, scene: Scene<'_>, ids: &mut u64) -> watch::Receiver<Arc<Snapshot>> {
        if self.pace == (Pace::Busy { pending: true }) {
            // What a stream is shown first is complete.
            self.publish(scene, ids, true);
        }
        if let Some(group) = self.groups.get_mut(node) {
            group.subscribers += 1;
            return group.cell.subscribe();
        }
        let client = client(node, self.depends_on_node(scene), scene);
        let snapshot = self.snapshots.entry(client).or_insert_with_key(|client| {
            *ids += 1;
            Arc::new(Snapshot::new(*ids, set(&self.candidates, client, scene), None))
        });
        let (cell, receiver) = watch::channel(snapshot.clone());
        self.groups.insert(node.clone(), Group { cell, subscribers: 1 });
        receiver
    }

    /// Removes a stream. What only it was shown is freed.
    pub(super) fn leave(&mut self, node: &str, scene: Scene<'_>) {
        let Some(group) = self.groups.get_mut(node) else { return };
        group.subscribers -= 1;
        if group.subscribers == 0 {
            self.groups.remove(node);
            let by_node = self.depends_on_node(scene);
            let clients: BTreeSet<Client> = self.groups.keys().map(|node| client(node, by_node, scene)).collect();
            self.snapshots.retain(|client, _| clients.contains(client));
        }
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn has_group(&self, node: &str) -> bool {
        self.groups.contains_key(node)
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    pub(super) fn counts(&self) -> ViewCounts {
        let set = self.snapshots.values().next().map(|snapshot| snapshot.set());
        ViewCounts {
            subscribers: self.groups.values().map(|group| group.subscribers).sum(),
            endpoints: set.map_or(0, |set| set.entries.len()),
            exists: set.is_some_and(|set| set.exists),
            updates: self.updates,
        }
    }

    /// Translates endpoints again.
    pub(super) fn translate(&mut self, marks: &Marks, scene: Scene<'_>) {
        let ports = scene.cluster.service(scene.service).map(|service| &*service.ports).unwrap_or_default();
        let target = TargetPort::of(self.port, ports);
        if marks.all {
            self.candidates.retain(|name, _| scene.slices.contains_key(name));
        }
        let marked = if marks.all { scene.slices.keys().collect() } else { Vec::from_iter(&marks.slices) };
        for name in marked {
            let Some(slice) = scene.slices.get(name) else {
                self.candidates.remove(name);
                continue;
            };
            let mut candidates = scene.cluster.candidates(slice, &target, self.port, self.hostname.as_deref());
            candidates.shrink_to_fit();
            if let Some(old) = self.candidates.get(name) {
                keep_equal(old, &mut candidates);
            }
            self.candidates.insert(name.clone(), candidates);
        }
    }

    /// Publishes what has changed. Additions may wait until `tick`. Returns whether streams have news.
    pub(super) fn publish(&mut self, scene: Scene<'_>, ids: &mut u64, tick: bool) -> bool {
        let by_node = self.depends_on_node(scene);
        let clients: HashMap<Arc<str>, Client> =
            self.groups.keys().map(|node| (node.clone(), client(node, by_node, scene))).collect();
        let mut news = BTreeMap::new();
        let mut can_wait = true;
        let observed = self.waiting.unwrap_or_else(Instant::now);
        for client in clients.values() {
            if news.contains_key(client) {
                continue;
            }
            let set = set(&self.candidates, client, scene);
            let previous = self.snapshots.get(client).map(|old| (old, set.change_from(old.set())));
            if previous.as_ref().is_some_and(|(_, change)| change.is_empty()) {
                news.insert(client.clone(), None);
                continue;
            }
            can_wait &= previous.as_ref().is_some_and(|(_, change)| change.can_wait());
            let previous = previous.map(|(old, change)| (old.id(), change));
            *ids += 1;
            let snapshot = Snapshot::new(*ids, set, previous).observed_at(observed);
            news.insert(client.clone(), Some(Arc::new(snapshot)));
        }
        can_wait &= clients.iter().all(|(node, client)| self.is_shown(node, client));
        let is_news = news.values().any(Option::is_some);
        if is_news && can_wait && !tick && self.pace != Pace::Quiet {
            self.pace = Pace::Busy { pending: true };
            self.waiting = Some(observed);
            return false;
        }
        self.waiting = None;
        self.pace = if is_news { Pace::Busy { pending: false } } else { self.pace.settled() };
        self.updates += u64::from(is_news);
        self.snapshots.retain(|client, _| news.contains_key(client));
        self.snapshots.extend(news.into_iter().filter_map(|(client, snapshot)| Some((client, snapshot?))));
        let mut is_published = false;
        for (node, client) in clients {
            let (Some(group), Some(snapshot)) = (self.groups.get(&node), self.snapshots.get(&client)) else { continue };
            is_published |= group.cell.send_if_modified(|shown| {
                let is_other = shown.id() != snapshot.id();
                if is_other {
                    shown.supersede(snapshot);
                }
                *shown = snapshot.clone();
                is_other
            });
        }
        is_published
    }

    /// Publishes what waits. Returns whether streams have news.
    pub(super) fn tick(&mut self, scene: Scene<'_>, ids: &mut u64) -> bool {
        let is_pending = self.pace == Pace::Busy { pending: true };
        self.pace = Pace::Quiet;
        is_pending && self.publish(scene, ids, true)
    }

    /// Whether a group is shown the snapshot of such clients, and was not one of others until now.
    fn is_shown(&self, node: &str, client: &Client) -> bool {
        let shown = self.groups.get(node).map(|group| group.cell.borrow().id());
        shown == self.snapshots.get(client).map(|snapshot| snapshot.id())
    }

    fn depends_on_node(&self, scene: Scene<'_>) -> bool {
        depends_on_node(self.candidates.values().flatten(), rules(scene))
    }
}

/// What matters of a client on a node.
fn client(node: &Arc<str>, by_node: bool, scene: Scene<'_>) -> Client {
    Client { zone: scene.cluster.zone(node), node: by_node.then(|| node.clone()) }
}

impl Pace {
    /// Nothing waits any more.
    fn settled(self) -> Self {
        match self {
            Self::Quiet => Self::Quiet,
            Self::Busy { .. } => Self::Busy { pending: false },
        }
    }
}

fn rules(scene: Scene<'_>) -> Rules {
    let (service, is_foreign) = (scene.cluster.service(scene.service), scene.cluster.is_foreign());
    Rules {
        same_node_only: !is_foreign && service.is_some_and(|service| service.same_node_only),
        hints: !is_foreign,
        ipv6: scene.cluster.config().ipv6,
    }
}

fn set(candidates: &BTreeMap<Arc<str>, Vec<Candidate>>, client: &Client, scene: Scene<'_>) -> EndpointSet {
    let exists = scene.cluster.service(scene.service).is_some();
    let entries = if exists { select(candidates.values().flatten(), rules(scene), client) } else { Vec::new() };
    let mut labels = SetLabels::of(scene.service.clone());
    let mut mirrors = scene.slices.values().filter_map(|slice| slice.mirror.as_ref());
    if let Some(mirror) = mirrors.rfind(|mirror| !mirror.cluster.is_empty()) {
        (labels.target_cluster, labels.target) = (mirror.cluster.clone(), mirror.service.clone());
    }
    EndpointSet { exists, labels, entries }
}

/// Endpoints that did not change stay the same objects, so that sets that hold them share them.
fn keep_equal(old: &[Candidate], new: &mut [Candidate]) {
    for (old, new) in old.iter().zip(new) {
        if old.endpoint == new.endpoint {
            new.endpoint = old.endpoint.clone();
        }
    }
}
