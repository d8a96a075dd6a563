//! Kubernetes events in, snapshots out: synchronous, deterministic, and nothing depends on the time.
//!
//! An event changes the reduced objects of [`cluster::Cluster`], which names what may look different;
//! [`views`] computes that anew where somebody watches it, and publishes what is different.

pub mod cluster;
pub mod clusters;
mod dirty;
mod federation;
mod intern;
mod lag;
mod lease;
pub(crate) mod namespaced;
mod project;
pub mod refusal;
pub mod snapshot;
pub mod views;

pub use self::{
    lag::InformerLag,
    lease::{EndpointsRequest, Lease, ProfileRequest, ProfileSubject},
};

use self::{
    cluster::{Cluster, Sizes, Store},
    clusters::Clusters,
    dirty::Dirty,
    views::{EndpointViews, FederatedViews, ProfileViews},
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

/// Kinds of objects that feed the index of another cluster: neither nodes nor ServiceProfiles.
pub const FOREIGN_KINDS: usize = 7;

/// All that the service knows, and all that is watched of it.
#[derive(Debug)]
pub struct Index {
    cluster: Cluster,
    endpoints: EndpointViews,
    profiles: ProfileViews,
    federated: FederatedViews,
    clusters: Clusters,
    /// Notified when members published something that Services in another cluster are to be told.
    published: Arc<Notify>,
    /// How many kinds are listed before the initial state is complete.
    kinds: usize,
    /// Kinds of which a complete list was applied.
    listed: BTreeSet<(&'static str, &'static str)>,
    synced: watch::Sender<bool>,
    busy: Arc<Notify>,
    /// How old changes are when they are observed.
    lag: Option<InformerLag>,
}

impl Index {
    /// An index that knows nothing yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self::of(Cluster::new(config), KINDS)
    }

    /// An index of another cluster that knows nothing yet. It has no streams, but members.
    pub fn foreign(config: Arc<Config>) -> Self {
        Self::of(Cluster::foreign(config), FOREIGN_KINDS)
    }

    fn of(cluster: Cluster, kinds: usize) -> Self {
        Self {
            cluster,
            endpoints: EndpointViews::default(),
            profiles: ProfileViews::default(),
            federated: FederatedViews::default(),
            clusters: Clusters::default(),
            published: Arc::default(),
            kinds,
            listed: BTreeSet::new(),
            synced: watch::Sender::new(false),
            busy: Arc::default(),
            lag: None,
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
        self.tell_federated(&Dirty::default());
        self.endpoints.is_busy()
    }

    /// Has the age of changes noted that are observed from now on.
    pub fn note_lag(&mut self, lag: InformerLag) {
        self.lag = Some(lag);
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

    fn list_is_complete(&mut self, kind: (&'static str, &'static str)) {
        if self.listed.insert(kind) && self.listed.len() == self.kinds {
            self.synced.send_replace(true);
        }
    }

    fn refresh(&mut self, dirty: &Dirty) {
        let services = self.endpoints.refresh(&self.cluster, dirty);
        self.profiles.refresh(&self.cluster, dirty, &services);
        self.tell_federated(dirty);
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
        let updated = object.meta().updated;
        let dirty = self.cluster.apply(object);
        self.refresh(&dirty);
        // What the initial list shows is as old as it is, and what changes nothing is no news.
        if let (Some(lag), Some(updated)) = (&self.lag, updated)
            && !dirty.is_empty()
            && self.listed.contains(&(T::GROUP, T::PLURAL))
        {
            lag.observe(T::PLURAL, updated.into());
        }
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
        self.list_is_complete((T::GROUP, T::PLURAL));
    }
}

#[cfg(test)]
pub(crate) mod tests;
