//! One port of one Service that stands for others.

use super::Sources;
use crate::{
    core::{filter::Entry, key::Key, member::Member, service::SetLabels},
    index::{
        Index,
        snapshot::{EndpointSet, Snapshot},
        views::{Holder, Seat, ViewKey},
    },
};
use linkerd_controller::source::Shared;
use std::{collections::BTreeMap, fmt, mem, sync::Arc};
use tokio::sync::watch;

/// A Service, what is watched of it, and for whom it stands.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) service: &'a Key,
    pub(super) key: &'a ViewKey,
    pub(super) members: &'a [Member],
}

/// The endpoints of a port, and the streams that are shown them.
#[derive(Debug)]
pub(super) struct View {
    id: u64,
    /// Streams by the nodes of their clients.
    groups: BTreeMap<Arc<str>, Group>,
}

#[derive(Debug)]
struct Group {
    subscribers: usize,
    /// The members that can be watched, in their order.
    parts: Vec<Part>,
    /// What the parts were when their union was shown.
    shown: Vec<Arc<Snapshot>>,
    cell: watch::Sender<Arc<Snapshot>>,
}

/// A member that is watched.
struct Part {
    member: Member,
    /// The index of its cluster; absent for this one.
    index: Option<Shared<Index>>,
    seat: Seat,
    receiver: watch::Receiver<Arc<Snapshot>>,
}

impl View {
    pub(super) fn new(id: u64) -> Self {
        Self { id, groups: BTreeMap::new() }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a stream of a client on a node.
    pub(super) fn join(
        &mut self,
        sources: &mut Sources<'_>,
        scene: Scene<'_>,
        node: &Arc<str>,
        ids: &mut u64,
    ) -> watch::Receiver<Arc<Snapshot>> {
        // What a stream is shown first is what is known now.
        self.publish(scene, ids);
        if let Some(group) = self.groups.get_mut(node) {
            group.subscribers += 1;
            return group.cell.subscribe();
        }
        let parts = seats(sources, scene, node, Vec::new());
        let shown = snapshots(&parts);
        let same = self.groups.values().find(|group| is_same(&group.shown, &shown));
        let snapshot = same.map(|group| group.cell.borrow().clone()).unwrap_or_else(|| {
            *ids += 1;
            Arc::new(Snapshot::new(*ids, union(scene, &parts, &shown), None))
        });
        let (cell, receiver) = watch::channel(snapshot);
        self.groups.insert(node.clone(), Group { subscribers: 1, parts, shown, cell });
        receiver
    }

    /// Removes a stream. What only it was shown is freed, here and in other clusters.
    pub(super) fn leave(&mut self, sources: &mut Sources<'_>, node: &str) {
        let Some(group) = self.groups.get_mut(node) else { return };
        group.subscribers -= 1;
        if group.subscribers == 0 {
            let group = self.groups.remove(node);
            group.into_iter().flat_map(|group| group.parts).for_each(|part| part.leave(sources));
        }
    }

    /// Watches the members as far as they can be watched, for clients on these nodes.
    pub(super) fn reseat(&mut self, sources: &mut Sources<'_>, scene: Scene<'_>, is_meant: &impl Fn(&str) -> bool) {
        for (node, group) in self.groups.iter_mut().filter(|(node, _)| is_meant(node)) {
            group.parts = seats(sources, scene, node, mem::take(&mut group.parts));
        }
    }

    /// Publishes what has changed.
    pub(super) fn publish(&mut self, scene: Scene<'_>, ids: &mut u64) {
        let mut made: Vec<(Vec<Arc<Snapshot>>, Arc<Snapshot>)> = Vec::new();
        for group in self.groups.values_mut() {
            let new = snapshots(&group.parts);
            if is_same(&new, &group.shown) {
                continue;
            }
            let known = made.iter().find(|(parts, _)| is_same(parts, &new)).map(|(_, snapshot)| snapshot.clone());
            let snapshot = known.unwrap_or_else(|| {
                let snapshot = following(&group.cell.borrow(), union(scene, &group.parts, &new), ids);
                made.push((new.clone(), snapshot.clone()));
                snapshot
            });
            group.shown = new;
            group.show(snapshot);
        }
    }

    /// Ends all streams; with numbers for snapshots, they are told first that the Service is gone.
    pub(super) fn end(&mut self, sources: &mut Sources<'_>, scene: Scene<'_>, mut gone: Option<&mut u64>) {
        for group in mem::take(&mut self.groups).into_values() {
            if let Some(ids) = gone.as_deref_mut() {
                let labels = SetLabels::of(scene.service.clone());
                let set = EndpointSet { exists: false, labels, entries: Vec::new() };
                let snapshot = following(&group.cell.borrow(), set, ids);
                group.show(snapshot);
            }
            group.parts.into_iter().for_each(|part| part.leave(sources));
        }
    }
}

impl Group {
    fn show(&self, snapshot: Arc<Snapshot>) {
        self.cell.send_if_modified(|shown| {
            let is_other = shown.id() != snapshot.id();
            if is_other {
                shown.supersede(&snapshot);
            }
            *shown = snapshot;
            is_other
        });
    }
}

/// The snapshot after another one: that one, if nothing is different.
fn following(old: &Arc<Snapshot>, set: EndpointSet, ids: &mut u64) -> Arc<Snapshot> {
    let change = set.change_from(old.set());
    if change.is_empty() {
        return old.clone();
    }
    *ids += 1;
    Arc::new(Snapshot::new(*ids, set, Some((old.id(), change))))
}

/// Watches the members that can be watched: keeps those that are, and leaves those that are none any more.
fn seats(sources: &mut Sources<'_>, scene: Scene<'_>, node: &Arc<str>, mut old: Vec<Part>) -> Vec<Part> {
    let mut parts = Vec::with_capacity(scene.members.len());
    for member in scene.members {
        let known = old.iter().position(|part| part.member == *member && part.is_current(sources, node));
        let part = match known {
            Some(position) => Some(old.swap_remove(position)),
            None => Part::take(sources, scene, member, node),
        };
        parts.extend(part);
    }
    old.into_iter().for_each(|part| part.leave(sources));
    parts
}

fn snapshots(parts: &[Part]) -> Vec<Arc<Snapshot>> {
    parts.iter().map(|part| part.receiver.borrow().clone()).collect()
}

fn is_same(one: &[Arc<Snapshot>], other: &[Arc<Snapshot>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// The endpoints of all members. Of several with one address that of the first member counts.
///
/// The labels of the set are those of the first member; others have theirs on each of their endpoints.
fn union(scene: Scene<'_>, parts: &[Part], snapshots: &[Arc<Snapshot>]) -> EndpointSet {
    let first = scene.members.first();
    let service = first.map_or(scene.service.clone(), |first| Key::new(&scene.service.namespace, &first.service));
    let of_first = parts.first().zip(snapshots.first()).filter(|(part, _)| Some(&part.member) == first);
    let labels = of_first.map_or_else(|| SetLabels::of(service), |(_, snapshot)| snapshot.set().labels.clone());
    let mut entries: Vec<Entry> = Vec::new();
    for set in snapshots.iter().map(|snapshot| snapshot.set()) {
        let own = (set.labels != labels).then(|| Arc::new(set.labels.clone()));
        entries.extend(set.entries.iter().map(|entry| Entry { labels: own.clone(), ..entry.clone() }));
    }
    // The sort is stable.
    entries.sort_by_key(|entry| entry.address);
    entries.dedup_by_key(|entry| entry.address);
    EndpointSet { exists: true, labels, entries }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("member", &self.member).field("seat", &self.seat).finish_non_exhaustive()
    }
}

impl Part {
    /// Nothing, while the member's cluster is not ready. Zones of clients are known here alone.
    fn take(sources: &mut Sources<'_>, scene: Scene<'_>, member: &Member, node: &Arc<str>) -> Option<Self> {
        let service = Key::new(&scene.service.namespace, &member.service);
        let member = member.clone();
        let Some(cluster) = &member.cluster else {
            let joined = sources.endpoints.join(sources.cluster, &service, scene.key, node, Holder::Member);
            return Some(Self { member, index: None, receiver: joined.0, seat: joined.1 });
        };
        let index = sources.clusters.ready(cluster)?.clone();
        let (receiver, seat) = index.lock().join_member(&service, scene.key, &sources.cluster.zone(node));
        Some(Self { member, index: Some(index), receiver, seat })
    }

    /// Whether it is what [`Self::take`] would make.
    fn is_current(&self, sources: &Sources<'_>, node: &Arc<str>) -> bool {
        let is_open = self.receiver.has_changed().is_ok();
        is_open
            && match (&self.member.cluster, &self.index) {
                (Some(cluster), Some(index)) => {
                    let ready = sources.clusters.ready(cluster);
                    ready.is_some_and(|ready| Arc::ptr_eq(ready, index)) && self.seat.node == sources.cluster.zone(node)
                }
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }

    fn leave(self, sources: &mut Sources<'_>) {
        match &self.index {
            Some(index) => index.lock().leave_member(&self.seat),
            None => sources.endpoints.leave(sources.cluster, &self.seat),
        }
    }
}
