//! The index of this cluster and those of others, together.

use super::{
    Index,
    clusters::{Clusters, RemoteCluster},
    dirty::Dirty,
    refusal::EndpointsRefusal,
    snapshot::Snapshot,
    views::{FederatedViews, Holder, Seat, Sources, ViewKey},
};
use crate::core::{key::Key, service::Discovery};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{Notify, watch};

/// Stands for the kind that says which clusters there are.
const CLUSTERS: (&str, &str) = ("", "secrets");

impl Index {
    /// Makes the initial state incomplete until [`Self::clusters_are_known`].
    pub fn expect_clusters(&mut self) {
        self.kinds += 1;
    }

    /// It is known which other clusters there are; whether they can be reached is another matter.
    pub fn clusters_are_known(&mut self) {
        self.list_is_complete(CLUSTERS);
    }

    /// Other clusters.
    pub fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// Services that stand for others.
    pub fn federated(&self) -> &FederatedViews {
        &self.federated
    }

    /// Adds, replaces or removes another cluster. Returns the one that was there.
    ///
    /// To be called again when the cluster has become ready.
    pub fn set_cluster(&mut self, name: &Arc<str>, cluster: Option<RemoteCluster>) -> Option<RemoteCluster> {
        let old = match cluster {
            Some(cluster) => self.clusters.insert(name, cluster),
            None => self.clusters.remove(name),
        };
        self.with_federated(|federated, sources| federated.cluster_changed(sources, name));
        old
    }

    /// Notified when [`Self::take_published`] has something: in the index of another cluster.
    pub fn published(&self) -> Arc<Notify> {
        self.published.clone()
    }

    /// The views whose members were told something, for [`Self::member_published`] of the index of this
    /// cluster.
    pub fn take_published(&mut self) -> BTreeSet<(Key, ViewKey)> {
        self.endpoints.take_published()
    }

    /// Shows what members in another cluster published.
    pub fn member_published(&mut self, cluster: &Arc<str>, published: BTreeSet<(Key, ViewKey)>) {
        self.federated.member_published(Some(cluster), published);
    }

    /// Begins to watch a Service for one in another cluster, whose client is in a zone.
    pub(super) fn join_member(
        &mut self,
        service: &Key,
        view: &ViewKey,
        zone: &Arc<str>,
    ) -> (watch::Receiver<Arc<Snapshot>>, Seat) {
        let joined = self.endpoints.join(&self.cluster, service, view, zone, Holder::Member);
        self.tell_published();
        joined
    }

    /// Ends what [`Self::join_member`] began.
    pub(super) fn leave_member(&mut self, seat: &Seat) {
        self.endpoints.leave(&self.cluster, seat);
    }

    /// Clusters whose state a request for the endpoints of a Service should wait for, a moment: true once
    /// it need not.
    pub fn settling(&self, namespace: &str, name: &str) -> Vec<watch::Receiver<bool>> {
        let members = self.cluster.service_named(namespace, name).and_then(|service| service.discovery.members());
        let clusters: BTreeSet<Arc<str>> = members.into_iter().flatten().filter_map(|member| member.cluster).collect();
        let clusters = clusters.iter().filter_map(|cluster| self.clusters.get(cluster));
        clusters.map(|cluster| cluster.settled.clone()).filter(|settled| !*settled.borrow()).collect()
    }

    /// Whether the endpoints of a Service that stands for others can be watched.
    pub(super) fn check_members(&self, service: &Key, discovery: &Discovery) -> Result<(), EndpointsRefusal> {
        if let Discovery::Remote { cluster, service: remote } = discovery {
            let Some(remote) = remote else { return Err(EndpointsRefusal::NoRemoteService(service.clone())) };
            if self.clusters.get(cluster).is_none() {
                return Err(EndpointsRefusal::NoCluster(cluster.clone()));
            }
            let index = self.clusters.ready(cluster);
            if index.is_some_and(|index| index.lock().is_external_name(&service.namespace, remote)) {
                return Err(EndpointsRefusal::ExternalName(service.clone()));
            }
        }
        // A client that has endpoints from before keeps them while nobody can be asked about them.
        let members = discovery.members().unwrap_or_default();
        let can_be_asked = |cluster: &Arc<str>| self.clusters.ready(cluster).is_some();
        if members.iter().any(|member| member.cluster.as_ref().is_none_or(can_be_asked)) {
            return Ok(());
        }
        let mut clusters = members.iter().filter_map(|member| member.cluster.as_ref());
        match clusters.find(|cluster| self.clusters.get(cluster).is_some()) {
            Some(cluster) => Err(EndpointsRefusal::ClusterNotReady(cluster.clone())),
            None => Ok(()),
        }
    }

    fn is_external_name(&self, namespace: &str, name: &str) -> bool {
        self.cluster.service_named(namespace, name).is_some_and(|service| service.is_external_name)
    }

    /// Shows what an event changed to the streams of Services that stand for others.
    pub(super) fn tell_federated(&mut self, dirty: &Dirty) {
        if self.cluster.is_foreign() {
            return self.tell_published();
        }
        for service in &dirty.services {
            let found = self.cluster.service(service);
            if found.is_some_and(|found| found.discovery != Discovery::Local) {
                // Whoever was shown the Service's own endpoints is to ask anew.
                self.endpoints.end_streams(service);
            }
        }
        self.with_federated(|federated, sources| federated.refresh(sources, dirty));
    }

    pub(super) fn with_federated<R>(&mut self, act: impl FnOnce(&mut FederatedViews, &mut Sources<'_>) -> R) -> R {
        let Self { cluster, endpoints, clusters, federated, .. } = self;
        let result = act(federated, &mut Sources { cluster, endpoints, clusters });
        if self.endpoints.has_published() {
            // A newcomer lets additions through that others were waiting for.
            self.federated.member_published(None, self.endpoints.take_published());
        }
        result
    }

    fn tell_published(&self) {
        if self.endpoints.has_published() {
            self.published.notify_one();
        }
    }
}
