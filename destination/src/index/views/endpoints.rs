//! Watched Services.

use super::{
    Holder, Seat,
    view::{Marks, Pace, Scene, View, ViewCounts},
};
use crate::{
    core::{
        key::{Key, WorkloadKey},
        service::Slice,
    },
    index::{cluster::Cluster, dirty::Dirty, namespaced::Namespaced, snapshot::Snapshot},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::Arc,
};
use tokio::sync::watch;

/// A port of a Service, and the hostname of one endpoint if only that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewKey {
    /// Port of the Service.
    pub port: u16,
    /// Hostname.
    pub hostname: Option<Arc<str>>,
}

/// The endpoints of all watched Services.
#[derive(Debug, Default)]
pub struct EndpointViews {
    services: Namespaced<Watched>,
    /// The slices of watched Services that name an object.
    references: HashMap<WorkloadKey, Vec<(Key, Arc<str>)>>,
    /// Views that published something since the last tick.
    busy: BTreeSet<(Key, ViewKey)>,
    /// Views that published something to Services that theirs is a member of.
    published: BTreeSet<(Key, ViewKey)>,
    /// Number of the last snapshot or view.
    ids: u64,
}

#[derive(Debug, Default)]
struct Watched {
    slices: BTreeMap<Arc<str>, Arc<Slice>>,
    views: BTreeMap<ViewKey, View>,
    /// Streams of the Service's own endpoints.
    streams: usize,
    /// Those who want to hear of changes without a view.
    listeners: usize,
}

impl EndpointViews {
    /// Adds one who watches.
    pub fn join(
        &mut self,
        cluster: &Cluster,
        service: &Key,
        key: &ViewKey,
        node: &Arc<str>,
        holder: Holder,
    ) -> (watch::Receiver<Arc<Snapshot>>, Seat) {
        let Self { services, references, published, ids, .. } = self;
        let watched = watched(services, references, cluster, service);
        let scene = Scene { cluster, service, slices: &watched.slices };
        let view = watched.views.entry(key.clone()).or_insert_with(|| {
            *ids += 1;
            let mut view = View::new(*ids, key.port, key.hostname.clone());
            view.translate(&Marks { all: true, ..Marks::default() }, scene);
            view
        });
        if view.pace() == (Pace::Busy { pending: true }) && *view.members() > 0 {
            // The newcomer does not wait, so the others need not either.
            published.insert((service.clone(), key.clone()));
        }
        match holder {
            Holder::Stream => watched.streams += 1,
            Holder::Member => *view.members() += 1,
        }
        let (receiver, id) = (view.join(node, scene, ids), view.id());
        (receiver, Seat { service: service.clone(), view: key.clone(), node: node.clone(), holder, id })
    }

    /// Removes one who watches.
    pub fn leave(&mut self, cluster: &Cluster, seat: &Seat) {
        let Seat { service, view: key, node, holder, id } = seat;
        let Some(watched) = self.services.get_mut(service) else { return };
        let scene = Scene { cluster, service, slices: &watched.slices };
        let Some(view) = watched.views.get_mut(key).filter(|view| view.id() == *id) else { return };
        match holder {
            Holder::Stream => watched.streams -= 1,
            Holder::Member => *view.members() -= 1,
        }
        view.leave(node, scene);
        if view.is_unwatched() {
            watched.views.remove(key);
            let view = (service.clone(), key.clone());
            self.busy.remove(&view);
            self.published.remove(&view);
        }
        self.free(service);
    }

    /// Ends all streams of a Service's own endpoints, and all else that watches it with them. Returns
    /// whether there were any.
    pub fn end_streams(&mut self, service: &Key) -> bool {
        let Some(watched) = self.services.get_mut(service).filter(|watched| watched.streams > 0) else { return false };
        watched.streams = 0;
        for key in mem::take(&mut watched.views).into_keys() {
            let view = (service.clone(), key);
            self.busy.remove(&view);
            self.published.remove(&view);
        }
        self.free(service);
        true
    }

    /// The views that published something to Services that theirs is a member of, since the last call.
    pub fn take_published(&mut self) -> BTreeSet<(Key, ViewKey)> {
        mem::take(&mut self.published)
    }

    /// Whether [`Self::take_published`] has something.
    pub fn has_published(&self) -> bool {
        !self.published.is_empty()
    }

    /// Hears of changes of a Service's endpoints, without a view of them.
    pub fn listen(&mut self, cluster: &Cluster, service: &Key) {
        watched(&mut self.services, &mut self.references, cluster, service).listeners += 1;
    }

    /// Ends what [`Self::listen`] began.
    pub fn unlisten(&mut self, service: &Key) {
        if let Some(watched) = self.services.get_mut(service) {
            watched.listeners -= 1;
        }
        self.free(service);
    }

    fn free(&mut self, service: &Key) {
        let is_idle = |watched: &Watched| watched.views.is_empty() && watched.listeners == 0;
        if !self.services.at(service).is_some_and(is_idle) {
            return;
        }
        let Some((_, watched)) = self.services.remove(&service.namespace, &service.name) else { return };
        for (name, slice) in watched.slices {
            refer(&mut self.references, service, &name, Some(&slice), None);
        }
    }

    /// Publishes what an event changed. Returns the watched Services whose endpoints may be others.
    pub fn refresh(&mut self, cluster: &Cluster, dirty: &Dirty) -> BTreeSet<Key> {
        let mut marks: BTreeMap<Key, Marks> = BTreeMap::new();
        for (service, name) in &dirty.slices {
            if self.update_slice(cluster, service, name) {
                marks.entry(service.clone()).or_default().slices.insert(name.clone());
            }
        }
        for workload in &dirty.workloads {
            for (service, slice) in self.references.get(workload).into_iter().flatten() {
                marks.entry(service.clone()).or_default().slices.insert(slice.clone());
            }
        }
        for service in dirty.services.iter().filter(|service| self.services.at(service).is_some()) {
            marks.entry(service.clone()).or_default().all = true;
        }
        if !dirty.nodes.is_empty() {
            for (service, watched) in self.services.iter() {
                let is_there = |view: &View| dirty.nodes.iter().any(|node| view.has_group(node));
                if watched.views.values().any(is_there) {
                    marks.entry(service).or_default();
                }
            }
        }
        for (service, marks) in &marks {
            self.publish(cluster, service, marks);
        }
        marks.into_keys().collect()
    }

    fn publish(&mut self, cluster: &Cluster, service: &Key, marks: &Marks) {
        let Self { services, busy, published, ids, .. } = self;
        let Some(watched) = services.get_mut(service) else { return };
        let scene = Scene { cluster, service, slices: &watched.slices };
        for (key, view) in &mut watched.views {
            view.translate(marks, scene);
            if view.publish(scene, ids, false) && *view.members() > 0 {
                published.insert((service.clone(), key.clone()));
            }
            if view.pace() != Pace::Quiet {
                busy.insert((service.clone(), key.clone()));
            }
        }
    }

    /// Takes over a slice of a watched Service. Returns whether there is one.
    fn update_slice(&mut self, cluster: &Cluster, service: &Key, name: &Arc<str>) -> bool {
        let Some(watched) = self.services.get_mut(service) else { return false };
        let new = cluster.slice(service, name);
        let old = match new {
            Some(slice) => watched.slices.insert(name.clone(), slice.clone()),
            None => watched.slices.remove(name),
        };
        refer(&mut self.references, service, name, old.as_deref(), new.map(|slice| &**slice));
        true
    }

    /// Whether a view waits for a tick, or published so recently that the next one may have to.
    pub fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Publishes the additions that wait.
    pub fn tick(&mut self, cluster: &Cluster) {
        for (service, key) in mem::take(&mut self.busy) {
            let Some(watched) = self.services.get_mut(&service) else { continue };
            let scene = Scene { cluster, service: &service, slices: &watched.slices };
            let Some(view) = watched.views.get_mut(&key) else { continue };
            if view.tick(scene, &mut self.ids) && *view.members() > 0 {
                self.published.insert((service.clone(), key.clone()));
            }
            if view.pace() != Pace::Quiet {
                self.busy.insert((service, key));
            }
        }
    }

    /// What is watched of each port of each Service.
    pub fn counts(&self) -> BTreeMap<(Key, ViewKey), ViewCounts> {
        let views = self.services.iter().flat_map(|(service, watched)| {
            let views = watched.views.iter();
            views.map(move |(key, view)| ((service.clone(), key.clone()), view.counts()))
        });
        views.collect()
    }

    /// Watched Services, and objects that their slices name.
    pub fn sizes(&self) -> (usize, usize) {
        (self.services.len(), self.references.len())
    }
}

/// A Service that is watched from now on, if it was not before.
fn watched<'a>(
    services: &'a mut Namespaced<Watched>,
    references: &mut HashMap<WorkloadKey, Vec<(Key, Arc<str>)>>,
    cluster: &Cluster,
    service: &Key,
) -> &'a mut Watched {
    if services.at(service).is_none() {
        let slices: BTreeMap<_, _> =
            cluster.slices(service).map(|(name, slice)| (name.clone(), slice.clone())).collect();
        for (name, slice) in &slices {
            refer(references, service, name, None, Some(slice));
        }
        services.insert(service, Watched { slices, ..Watched::default() });
    }
    services.entry(service)
}

/// Notes which objects a slice names now, instead of those that it named before.
fn refer(
    references: &mut HashMap<WorkloadKey, Vec<(Key, Arc<str>)>>,
    service: &Key,
    name: &Arc<str>,
    old: Option<&Slice>,
    new: Option<&Slice>,
) {
    let (old, new) = (old.map(Slice::workloads).unwrap_or_default(), new.map(Slice::workloads).unwrap_or_default());
    let is_slice = |(known, slice): &(Key, Arc<str>)| known == service && slice == name;
    for workload in old.iter().filter(|workload| new.binary_search(workload).is_err()) {
        let Some(slices) = references.get_mut(workload) else { continue };
        slices.retain(|slice| !is_slice(slice));
        if slices.is_empty() {
            references.remove(workload);
        }
    }
    for workload in new.into_iter().filter(|workload| old.binary_search(workload).is_err()) {
        let slices = references.entry(workload).or_insert_with(|| Vec::with_capacity(1));
        slices.push((service.clone(), name.clone()));
    }
}
