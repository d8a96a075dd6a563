//! The index of outbound policy: how requests to a target are sent.
//!
//! A target is a port of a Service, or an address. What an address stands for may change; watches of
//! the address then end, and their clients ask again.

mod service;
mod sinks;

use self::service::ServiceRecord;
use super::{
    cell::{Cell, Snapshot, Subscription},
    interner::Interner,
    problems::{Problem, Problems},
    synced::Synced,
};
use crate::{
    config::Config,
    core::outbound::{
        Defaults, OutboundPolicy, PortProtocol, ServicePort, egress_fallback, service_policy, undefined_port,
    },
};
use linkerd_controller::source::Shared;
use linkerd_k8s::{ObjectId, Resource, Service};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::sync::watch;

/// Who asks for a policy, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    /// Namespace of the client.
    pub client: Arc<str>,
    /// What it sends to.
    pub target: Target,
}

/// What a client sends to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A port of a Service, by name. Neither need exist.
    Service(ServicePort),
    /// An address.
    Address(SocketAddr),
}

/// What a target stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Resolution {
    /// A port of a Service.
    Service(ServicePort),
    /// A cluster address of a Service, with a port that the Service lacks.
    UndefinedPort(ServicePort),
    /// An address outside the cluster that nothing else claims.
    Fallback(SocketAddr),
}

impl Resolution {
    fn service(&self) -> Option<&ObjectId> {
        match self {
            Self::Service(port) | Self::UndefinedPort(port) => Some(&port.service),
            Self::Fallback(_) => None,
        }
    }
}

/// The index of outbound policy.
#[derive(Debug)]
pub struct OutboundIndex {
    config: Arc<Config>,
    services: HashMap<ObjectId, ServiceRecord>,
    /// Services by cluster address. Two may claim one for a moment, when an address is used again.
    by_cluster_ip: HashMap<IpAddr, BTreeSet<ObjectId>>,
    watched: HashMap<TargetKey, TargetWatch>,
    watched_by_service: HashMap<ObjectId, BTreeSet<TargetKey>>,
    watched_by_ip: HashMap<IpAddr, BTreeSet<TargetKey>>,
    snapshots: Interner<Snapshot<OutboundPolicy>>,
    subscriptions: usize,
    problems: Problems,
    synced: Synced,
}

#[derive(Debug)]
struct TargetWatch {
    resolution: Resolution,
    cell: Cell<OutboundPolicy>,
}

impl OutboundIndex {
    /// An index that knows no object yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            services: HashMap::new(),
            by_cluster_ip: HashMap::new(),
            watched: HashMap::new(),
            watched_by_service: HashMap::new(),
            watched_by_ip: HashMap::new(),
            snapshots: Interner::default(),
            subscriptions: 0,
            problems: Problems::default(),
            synced: Synced::awaiting([Service::KIND]),
        }
    }

    /// The configuration of the control plane.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Becomes true once every kind of object was listed.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.watch()
    }

    /// The policy of a target; nothing for an address in the cluster that no Service has.
    pub fn policy(&self, key: &TargetKey) -> Option<OutboundPolicy> {
        Some(self.policy_of(&self.resolve(&key.target)?))
    }

    /// Watches the policy of a target; nothing for an address in the cluster that no Service has.
    pub fn watch(index: &Shared<Self>, key: &TargetKey) -> Option<Subscription<OutboundPolicy>> {
        let (shared, released) = (index.clone(), key.clone());
        let release = move || shared.lock().free(&released);
        let mut index = index.lock();
        if let Some(watch) = index.watched.get(key) {
            let subscription = watch.cell.subscribe(release);
            index.subscriptions += 1;
            return Some(subscription);
        }
        let resolution = index.resolve(&key.target)?;
        index.subscriptions += 1;
        let policy = index.policy_of(&resolution);
        let snapshot = index.snapshots.intern(Snapshot::new(policy));
        let cell = Cell::new(Some(snapshot));
        let subscription = cell.subscribe(release);
        index.enter(key, TargetWatch { resolution, cell });
        Some(subscription)
    }

    /// What a target stands for now.
    fn resolve(&self, target: &Target) -> Option<Resolution> {
        let address = match target {
            Target::Service(port) => return Some(Resolution::Service(port.clone())),
            Target::Address(address) => *address,
        };
        let Some((id, service)) = self.service_of_ip(address.ip()) else {
            return (!self.config.is_in_cluster(address.ip())).then_some(Resolution::Fallback(address));
        };
        let port = ServicePort { service: id.clone(), port: address.port() };
        let is_defined = service.ports.contains_key(&address.port());
        Some(if is_defined { Resolution::Service(port) } else { Resolution::UndefinedPort(port) })
    }

    /// The Service of a cluster address; the newest, since of two that claim it the older must be gone.
    fn service_of_ip(&self, ip: IpAddr) -> Option<(&ObjectId, &ServiceRecord)> {
        let claims = self.by_cluster_ip.get(&ip)?.iter().filter_map(|id| Some((id, self.services.get(id)?)));
        claims.max_by_key(|(id, service)| (service.age, *id))
    }

    fn policy_of(&self, resolution: &Resolution) -> OutboundPolicy {
        let Config { cluster_domain, allow_l5d_request_headers, .. } = &*self.config;
        let defaults = Defaults { cluster_domain, allow_l5d_request_headers: *allow_l5d_request_headers };
        match resolution {
            Resolution::Fallback(address) => egress_fallback(*address, defaults),
            Resolution::UndefinedPort(port) => undefined_port(port.clone()),
            Resolution::Service(port) => match self.services.get(&port.service) {
                Some(service) => service_policy(port.clone(), service.protocol(port.port), &service.settings, defaults),
                None => service_policy(
                    port.clone(),
                    PortProtocol::Detect,
                    &crate::core::settings::Settings::default(),
                    defaults,
                ),
            },
        }
    }

    fn enter(&mut self, key: &TargetKey, watch: TargetWatch) {
        if let Some(service) = watch.resolution.service() {
            self.watched_by_service.entry(service.clone()).or_default().insert(key.clone());
        }
        if let Target::Address(address) = &key.target {
            self.watched_by_ip.entry(address.ip()).or_default().insert(key.clone());
        }
        self.watched.insert(key.clone(), watch);
    }

    /// Ends the watches of a target, if there are any.
    fn end(&mut self, key: &TargetKey) {
        let Some(watch) = self.watched.remove(key) else { return };
        if let Some(service) = watch.resolution.service() {
            leave(&mut self.watched_by_service, service, key);
        }
        if let Target::Address(address) = &key.target {
            leave(&mut self.watched_by_ip, &address.ip(), key);
        }
    }

    /// A watcher let go: frees its target, if nobody watches it any more, and its snapshot.
    fn free(&mut self, key: &TargetKey) {
        if self.watched.get(key).is_some_and(|watch| !watch.cell.is_watched()) {
            self.end(key);
        }
        self.snapshots.released();
        self.subscriptions -= 1;
        if self.subscriptions == 0 {
            self.snapshots.sweep();
        }
    }

    /// Computes policies anew, and ends watches of addresses that stand for something else now.
    fn refresh(&mut self, keys: impl IntoIterator<Item = TargetKey>) {
        for key in keys {
            let resolution = self.resolve(&key.target);
            let Some(watch) = self.watched.get(&key) else { continue };
            if resolution.as_ref() != Some(&watch.resolution) {
                self.end(&key);
                continue;
            }
            let policy = self.policy_of(&watch.resolution);
            let snapshot = self.snapshots.intern(Snapshot::new(policy));
            watch.cell.publish(snapshot);
            self.snapshots.released();
        }
    }

    /// Replaces or removes a Service.
    fn put_service(&mut self, id: &ObjectId, service: Option<ServiceRecord>) {
        if self.services.get(id) == service.as_ref() {
            return;
        }
        let new_ips = service.iter().flat_map(|service| service.cluster_ips.clone()).collect::<Vec<_>>();
        let old = match service {
            Some(service) => self.services.insert(id.clone(), service),
            None => self.services.remove(id),
        };
        for ip in old.iter().flat_map(|service| &service.cluster_ips) {
            leave(&mut self.by_cluster_ip, ip, id);
        }
        for ip in &new_ips {
            self.by_cluster_ip.entry(*ip).or_default().insert(id.clone());
        }
        let of_service = self.watched_by_service.get(id).into_iter().flatten();
        // Who watched an address that the Service lost watched the Service.
        let of_ips = new_ips.iter().filter_map(|ip| self.watched_by_ip.get(ip)).flatten();
        let keys: BTreeSet<TargetKey> = of_service.chain(of_ips).cloned().collect();
        self.refresh(keys);
    }

    /// What is wrong with objects, by kind and object.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &ObjectId, &Problem)> {
        self.problems.iter()
    }

    /// Sizes of the index, by the names that they have in metrics.
    pub fn sizes(&self) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("service", self.by_cluster_ip.len()),
            ("service_info", self.services.len()),
            ("watch", self.watched.len()),
        ])
    }

    /// Number of different policies that are being served.
    pub fn distinct_policies(&self) -> usize {
        self.snapshots.len()
    }
}

/// Removes a value of a set, and the set if it is empty then.
fn leave<K: std::hash::Hash + Eq, V: Ord>(sets: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
