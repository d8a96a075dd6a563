//! Kubernetes events in, snapshots out: synchronous, deterministic, without a clock.
//!
//! An event changes the reduced objects of [`cluster::Cluster`], which names what may look different;
//! [`views`] computes that anew where somebody watches it, and publishes what is different.

pub mod cluster;
mod dirty;
mod intern;
mod lease;
mod namespaced;
mod project;
pub mod refusal;
pub mod snapshot;
pub mod views;

pub use self::lease::{EndpointsRequest, Lease, ProfileRequest, ProfileSubject};

use self::{
    cluster::{Cluster, Sizes, Store},
    dirty::Dirty,
    views::{EndpointViews, ProfileViews},
};
use crate::core::config::Config;
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};
use tokio::sync::{Notify, watch};

/// Kinds of objects that feed the index.
pub const KINDS: usize = 9;

/// All that the service knows, and all that is watched of it.
#[derive(Debug)]
pub struct Index {
    cluster: Cluster,
    endpoints: EndpointViews,
    profiles: ProfileViews,
    /// Kinds of which a complete list was applied.
    listed: BTreeSet<(&'static str, &'static str)>,
    synced: watch::Sender<bool>,
    busy: Arc<Notify>,
}

impl Index {
    /// An index that knows nothing yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            cluster: Cluster::new(config),
            endpoints: EndpointViews::default(),
            profiles: ProfileViews::default(),
            listed: BTreeSet::new(),
            synced: watch::Sender::new(false),
            busy: Arc::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        self.cluster.config()
    }

    /// Whether the initial lists of all kinds are complete, now and later.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    /// Notified when [`Self::tick`] is to be called some milliseconds later.
    pub fn busy(&self) -> Arc<Notify> {
        self.busy.clone()
    }

    /// Publishes additions that were held back after other changes. Returns whether to call this again,
    /// after the same time.
    pub fn tick(&mut self) -> bool {
        self.endpoints.tick(&self.cluster);
        self.endpoints.is_busy()
    }

    /// How much is known.
    pub fn sizes(&self) -> Sizes {
        self.cluster.sizes()
    }

    /// What is watched of the endpoints of Services.
    pub fn endpoints(&self) -> &EndpointViews {
        &self.endpoints
    }

    /// What is watched of profiles.
    pub fn profiles(&self) -> &ProfileViews {
        &self.profiles
    }

    fn refresh(&mut self, dirty: &Dirty) {
        let services = self.endpoints.refresh(&self.cluster, dirty);
        self.profiles.refresh(&self.cluster, dirty, &services);
        if self.endpoints.is_busy() {
            self.busy.notify_one();
        }
    }
}

impl<T> Sink<T> for Index
where
    T: Resource,
    Cluster: Store<T>,
{
    fn apply(&mut self, object: T) {
        let dirty = self.cluster.apply(object);
        self.refresh(&dirty);
    }

    fn delete(&mut self, id: &ObjectId) {
        let dirty = Store::<T>::delete(&mut self.cluster, id);
        self.refresh(&dirty);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        let mut dirty = Dirty::default();
        for id in Store::<T>::missing(&self.cluster, live) {
            dirty.merge(Store::<T>::delete(&mut self.cluster, &id));
        }
        self.refresh(&dirty);
        if self.listed.insert((T::GROUP, T::PLURAL)) && self.listed.len() == KINDS {
            self.synced.send_replace(true);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
