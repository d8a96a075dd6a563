//! Watched profiles.

use crate::{
    core::{key::Key, profile::Profile},
    index::{
        cluster::{Cluster, ProfileTarget},
        dirty::Dirty,
        snapshot::ProfileSnapshot,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::IpAddr,
    sync::Arc,
};
use tokio::sync::watch;

/// All watched profiles.
#[derive(Debug, Default)]
pub struct ProfileViews {
    views: HashMap<ProfileTarget, View>,
    by_service: HashMap<Key, BTreeSet<ProfileTarget>>,
    by_address: HashMap<IpAddr, BTreeSet<ProfileTarget>>,
    /// Those that follow the endpoints of a Service.
    by_endpoints: HashMap<Key, BTreeSet<ProfileTarget>>,
}

#[derive(Debug)]
struct View {
    cell: watch::Sender<Arc<ProfileSnapshot>>,
    subscribers: usize,
    updates: u64,
}

impl ProfileViews {
    /// Adds a stream.
    pub fn join(&mut self, cluster: &Cluster, target: &ProfileTarget) -> watch::Receiver<Arc<ProfileSnapshot>> {
        if let Some(view) = self.views.get_mut(target) {
            view.subscribers += 1;
            return view.cell.subscribe();
        }
        let profile = cluster.profile(target, None);
        let (cell, receiver) = watch::channel(Arc::new(ProfileSnapshot::new(profile)));
        self.views.insert(target.clone(), View { cell, subscribers: 1, updates: 0 });
        match target {
            ProfileTarget::Service { service, .. } => note(&mut self.by_service, service, target),
            ProfileTarget::Address { ip, .. } => note(&mut self.by_address, ip, target),
            ProfileTarget::Hostname { service, .. } => note(&mut self.by_endpoints, service, target),
        }
        receiver
    }

    /// Removes a stream.
    pub fn leave(&mut self, target: &ProfileTarget) {
        let Some(view) = self.views.get_mut(target) else { return };
        view.subscribers -= 1;
        if view.subscribers > 0 {
            return;
        }
        self.views.remove(target);
        match target {
            ProfileTarget::Service { service, .. } => forget(&mut self.by_service, service, target),
            ProfileTarget::Address { ip, .. } => forget(&mut self.by_address, ip, target),
            ProfileTarget::Hostname { service, .. } => forget(&mut self.by_endpoints, service, target),
        }
    }

    /// Publishes what an event changed; `endpoints` are the Services whose endpoints it may have.
    pub fn refresh(&mut self, cluster: &Cluster, dirty: &Dirty, endpoints: &BTreeSet<Key>) {
        let services = dirty.services.iter().chain(&dirty.profiles).filter_map(|service| self.by_service.get(service));
        let addresses = dirty.addresses.iter().filter_map(|ip| self.by_address.get(ip));
        let hostnames = endpoints.iter().filter_map(|service| self.by_endpoints.get(service));
        for target in services.chain(addresses).chain(hostnames).flatten() {
            let Some(view) = self.views.get_mut(target) else { continue };
            let shown = view.cell.borrow().clone();
            let profile = cluster.profile(target, Some(shown.profile()));
            if profile != *shown.profile() {
                view.updates += 1;
                let newest = Arc::new(ProfileSnapshot::new(profile));
                shown.supersede(&newest);
                view.cell.send_replace(newest);
            }
        }
    }

    /// Streams and published changes of each Service's profiles.
    pub fn service_counts(&self) -> Vec<(Key, usize, u64)> {
        let count = |(service, targets): (&Key, &BTreeSet<ProfileTarget>)| {
            let (subscribers, updates) = self.sum(targets);
            (service.clone(), subscribers, updates)
        };
        let mut counts: Vec<_> = self.by_service.iter().map(count).collect();
        counts.sort();
        counts
    }

    /// Streams and published changes of the profiles of endpoints.
    pub fn endpoint_counts(&self) -> (usize, u64) {
        let targets = self.by_address.values().chain(self.by_endpoints.values()).flatten();
        self.sum(targets)
    }

    /// How many streams see the profile that a ServiceProfile, or the lack of one, gives them.
    pub fn source_counts(&self) -> HashMap<Option<Key>, (usize, u64)> {
        let mut counts: HashMap<_, (usize, u64)> = HashMap::new();
        for view in self.views.values() {
            let shown = view.cell.borrow();
            let Profile::Service(profile) = shown.profile() else { continue };
            let source = profile.source.as_ref().map(|source| Key::new(&source.namespace, &source.name));
            let (subscribers, updates) = counts.entry(source).or_default();
            *subscribers += view.subscribers;
            *updates += view.updates;
        }
        counts
    }

    fn sum<'a>(&self, targets: impl IntoIterator<Item = &'a ProfileTarget>) -> (usize, u64) {
        let views = targets.into_iter().filter_map(|target| self.views.get(target));
        views.fold((0, 0), |(subscribers, updates), view| (subscribers + view.subscribers, updates + view.updates))
    }

    /// Watched profiles.
    pub fn count(&self) -> usize {
        self.views.len()
    }
}

fn note<K: Clone + Eq + Hash>(map: &mut HashMap<K, BTreeSet<ProfileTarget>>, key: &K, target: &ProfileTarget) {
    map.entry(key.clone()).or_default().insert(target.clone());
}

fn forget<K: Eq + Hash>(map: &mut HashMap<K, BTreeSet<ProfileTarget>>, key: &K, target: &ProfileTarget) {
    let Some(targets) = map.get_mut(key) else { return };
    targets.remove(target);
    if targets.is_empty() {
        map.remove(key);
    }
}
