//! Other clusters: each has an index of its own, behind a lock of its own.

use super::Index;
use linkerd_controller::source::Shared;
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio::sync::watch;

/// Another cluster.
#[derive(Clone)]
pub struct RemoteCluster {
    /// What is known of it.
    pub index: Shared<Index>,
    /// Whether its initial lists are complete.
    pub synced: watch::Receiver<bool>,
    /// Whether it is of no use to wait for them: they are complete, or it took too long.
    pub settled: watch::Receiver<bool>,
}

impl fmt::Debug for RemoteCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCluster").field("synced", &self.is_ready()).finish_non_exhaustive()
    }
}

impl RemoteCluster {
    /// Whether its initial lists are complete. Before that, nothing is served from it.
    pub fn is_ready(&self) -> bool {
        *self.synced.borrow()
    }
}

/// The other clusters that are known, by name.
///
/// Whoever has the lock of this cluster's index may take one of theirs, never the other way round.
#[derive(Debug, Default)]
pub struct Clusters(BTreeMap<Arc<str>, RemoteCluster>);

impl Clusters {
    /// A cluster, whether it is ready or not.
    pub fn get(&self, name: &str) -> Option<&RemoteCluster> {
        self.0.get(name)
    }

    /// The index of a cluster that is ready.
    pub fn ready(&self, name: &str) -> Option<&Shared<Index>> {
        self.0.get(name).filter(|cluster| cluster.is_ready()).map(|cluster| &cluster.index)
    }

    /// Adds or replaces a cluster; returns the one that was there.
    pub fn insert(&mut self, name: &Arc<str>, cluster: RemoteCluster) -> Option<RemoteCluster> {
        self.0.insert(name.clone(), cluster)
    }

    /// Removes a cluster.
    pub fn remove(&mut self, name: &str) -> Option<RemoteCluster> {
        self.0.remove(name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &RemoteCluster)> {
        self.0.iter()
    }
}
