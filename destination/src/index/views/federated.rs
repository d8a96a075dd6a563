//! Watched Services that stand for others: for one of another cluster, or for several here and there.
//!
//! Each member is watched where it is, as any Service. What is shown is the union of the snapshots of
//! members, which is a snapshot of its own. It follows members that come, go and change, and clusters.

mod view;

use self::view::{Scene, View};
use super::{EndpointViews, Holder, Seat, ViewKey};
use crate::{
    core::{key::Key, member::Member, service::Discovery},
    index::{cluster::Cluster, clusters::Clusters, dirty::Dirty, namespaced::Namespaced, snapshot::Snapshot},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem::{Discriminant, discriminant},
    sync::Arc,
};
use tokio::sync::watch;

/// Where members are found.
pub struct Sources<'a> {
    /// This cluster.
    pub cluster: &'a Cluster,
    /// The endpoints of its Services.
    pub endpoints: &'a mut EndpointViews,
    /// Other clusters.
    pub clusters: &'a Clusters,
}

/// A Service by its cluster, which is absent for this one.
type Place = (Option<Arc<str>>, Key);

/// The endpoints of all watched Services that stand for others.
#[derive(Debug, Default)]
pub struct FederatedViews {
    services: Namespaced<Federated>,
    /// The watched Services that a Service is a member of.
    by_member: HashMap<Place, BTreeSet<Key>>,
    /// Number of the last snapshot or view.
    ids: u64,
}

#[derive(Debug, Default)]
struct Federated {
    /// How the members were found. A Service that finds them in another way is to be asked for anew.
    way: Option<Discriminant<Discovery>>,
    members: Box<[Member]>,
    views: BTreeMap<ViewKey, View>,
}

impl FederatedViews {
    /// Adds a stream of a Service whose endpoints are found so.
    pub fn join(
        &mut self,
        sources: &mut Sources<'_>,
        (service, discovery): (&Key, &Discovery),
        key: &ViewKey,
        node: &Arc<str>,
    ) -> (watch::Receiver<Arc<Snapshot>>, Seat) {
        if self.services.at(service).is_none() {
            let members = discovery.members().unwrap_or_default();
            self.note(service, &members);
            let way = Some(discriminant(discovery));
            self.services.insert(service, Federated { way, members, views: BTreeMap::new() });
        }
        let Self { services, ids, .. } = self;
        let watched = services.entry(service);
        let view = watched.views.entry(key.clone()).or_insert_with(|| {
            *ids += 1;
            View::new(*ids)
        });
        let id = view.id();
        let receiver = view.join(sources, Scene { service, key, members: &watched.members }, node, ids);
        let (service, view, node) = (service.clone(), key.clone(), node.clone());
        (receiver, Seat { service, view, node, holder: Holder::Stream, id })
    }

    /// Removes a stream.
    pub fn leave(&mut self, sources: &mut Sources<'_>, seat: &Seat) {
        let Some(watched) = self.services.get_mut(&seat.service) else { return };
        let view = watched.views.get_mut(&seat.view).filter(|view| view.id() == seat.id);
        let Some(view) = view else { return };
        view.leave(sources, &seat.node);
        if view.is_unwatched() {
            watched.views.remove(&seat.view);
        }
        if watched.views.is_empty() {
            self.forget(&seat.service);
        }
    }

    /// Publishes what an event in this cluster changed.
    pub fn refresh(&mut self, sources: &mut Sources<'_>, dirty: &Dirty) {
        let mut changed = BTreeSet::new();
        for service in &dirty.services {
            let of_member = self.by_member.get(&(None, service.clone())).cloned().unwrap_or_default();
            for federated in of_member.iter().chain([service]) {
                changed.extend(self.follow(sources, federated));
            }
        }
        if !dirty.nodes.is_empty() {
            for service in self.services.iter().map(|(service, _)| service).collect::<Vec<_>>() {
                changed.extend(self.reseat(sources, &service, |node| dirty.nodes.contains(node)));
            }
        }
        changed.extend(self.published(None, sources.endpoints.take_published()));
        self.publish(changed);
    }

    /// Publishes what members in a cluster published.
    pub fn member_published(&mut self, cluster: Option<&Arc<str>>, published: BTreeSet<(Key, ViewKey)>) {
        let changed = self.published(cluster, published);
        self.publish(changed);
    }

    /// A cluster came, is another one now, or went.
    pub fn cluster_changed(&mut self, sources: &mut Sources<'_>, cluster: &str) {
        let is_in = |member: &Member| member.cluster.as_deref() == Some(cluster);
        let is_concerned = |(service, watched): (Key, &Federated)| watched.members.iter().any(is_in).then_some(service);
        let services: Vec<Key> = self.services.iter().filter_map(is_concerned).collect();
        for service in services {
            let changed = self.reseat(sources, &service, |_| true);
            self.publish(changed);
        }
    }

    /// Watched Services, and Services that are watched as their members.
    pub fn sizes(&self) -> (usize, usize) {
        (self.services.len(), self.by_member.len())
    }

    /// The views that have members among these.
    fn published(&self, cluster: Option<&Arc<str>>, published: BTreeSet<(Key, ViewKey)>) -> BTreeSet<(Key, ViewKey)> {
        let views = published.into_iter().flat_map(|(member, view)| {
            let services = self.by_member.get(&(cluster.cloned(), member)).into_iter().flatten();
            services.map(|service| (service.clone(), view.clone())).collect::<Vec<_>>()
        });
        views.collect()
    }

    /// Makes the members of a Service what they are now. Returns the views that may have changed.
    fn follow(&mut self, sources: &mut Sources<'_>, service: &Key) -> BTreeSet<(Key, ViewKey)> {
        let Some(watched) = self.services.at(service) else { return BTreeSet::new() };
        let discovery = sources.cluster.service(service).map(|service| &service.discovery);
        let members = discovery.filter(|now| watched.way == Some(discriminant(*now))).and_then(Discovery::members);
        let Some(members) = members else {
            self.end(sources, service, discovery.is_none());
            return BTreeSet::new();
        };
        if watched.members != members {
            self.note(service, &members);
            let old = std::mem::replace(&mut self.services.entry(service).members, members);
            self.unnote(service, &old);
        }
        self.reseat(sources, service, |_| true)
    }

    /// Watches the members of a Service as far as they can be watched, for clients on these nodes.
    fn reseat(
        &mut self,
        sources: &mut Sources<'_>,
        service: &Key,
        is_meant: impl Fn(&str) -> bool,
    ) -> BTreeSet<(Key, ViewKey)> {
        let Some(watched) = self.services.get_mut(service) else { return BTreeSet::new() };
        for (key, view) in &mut watched.views {
            view.reseat(sources, Scene { service, key, members: &watched.members }, &is_meant);
        }
        watched.views.keys().map(|key| (service.clone(), key.clone())).collect()
    }

    fn publish(&mut self, views: BTreeSet<(Key, ViewKey)>) {
        for (service, key) in views {
            let Some(watched) = self.services.get_mut(&service) else { continue };
            let Some(view) = watched.views.get_mut(&key) else { continue };
            view.publish(Scene { service: &service, key: &key, members: &watched.members }, &mut self.ids);
        }
    }

    /// Ends the streams of a Service that is gone, or that finds its endpoints in another way now.
    fn end(&mut self, sources: &mut Sources<'_>, service: &Key, is_gone: bool) {
        let Some(watched) = self.services.get_mut(service) else { return };
        for (key, mut view) in std::mem::take(&mut watched.views) {
            view.end(sources, Scene { service, key: &key, members: &[] }, is_gone.then_some(&mut self.ids));
        }
        self.forget(service);
    }

    fn forget(&mut self, service: &Key) {
        let Some((_, watched)) = self.services.remove(&service.namespace, &service.name) else { return };
        for member in &watched.members {
            unnote(&mut self.by_member, service, member);
        }
    }

    fn note(&mut self, service: &Key, members: &[Member]) {
        for member in members {
            self.by_member.entry(place(service, member)).or_default().insert(service.clone());
        }
    }

    /// Forgets members, unless the Service still has them.
    fn unnote(&mut self, service: &Key, old: &[Member]) {
        let Some(watched) = self.services.at(service) else { return };
        for member in old.iter().filter(|member| !watched.members.contains(member)) {
            unnote(&mut self.by_member, service, member);
        }
    }
}

fn unnote(by_member: &mut HashMap<Place, BTreeSet<Key>>, service: &Key, member: &Member) {
    let place = place(service, member);
    let Some(services) = by_member.get_mut(&place) else { return };
    services.remove(service);
    if services.is_empty() {
        by_member.remove(&place);
    }
}

/// A member is in a namespace of the same name.
fn place(service: &Key, member: &Member) -> Place {
    (member.cluster.clone(), Key::new(&service.namespace, &member.service))
}
