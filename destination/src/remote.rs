//! Other clusters, which Secrets in the control plane's namespace name.
//!
//! Inputs: the Secrets, and what the clusters tell. Outputs: an index of each cluster, known to the index
//! of this one as long as there is a Secret. Invariants:
//!
//! - each cluster has a client, watches and an index of its own: one that fails, is slow or tells nonsense
//!   changes nothing for the others or for this one;
//! - a cluster is tried again for ever, and what it told stays while it cannot be reached;
//! - readiness waits for the list of Secrets, not for clusters;
//! - with its Secret everything of a cluster goes, and a Secret that changes is followed without a gap.

mod cluster;
mod secret;
mod secrets;
mod state;

use self::{
    secret::{SECRET_TYPE, Secret},
    secrets::{Secrets, Wanted},
    state::States,
};
use crate::{core::config::Config, index::Index};
use linkerd_controller::{
    source::{Need, Scope, Shared, Watches},
    tasks::Tasks,
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    sync::{oneshot, watch},
    task::{JoinError, JoinHandle},
};

/// Follows the Secrets of a namespace. To be called before the index is fed.
pub fn start(index: &Shared<Index>, watches: &Watches, tasks: &Tasks) {
    let config = {
        let mut index = index.lock();
        index.expect_clusters();
        index.config().clone()
    };
    let (secrets, wanted) = Secrets::new();
    let scope = Scope {
        namespace: Some(config.controller_namespace.clone()),
        field_selector: Some(format!("type={SECRET_TYPE}")),
        ..Scope::default()
    };
    watches.watch_scoped::<Secret, _>(&Arc::new(Mutex::new(secrets)), Need::IfPermitted, scope);
    let states = States::default();
    let describe = states.clone();
    tasks.diagnostics.add("remote clusters", move || describe.describe());
    tasks
        .spawn("remote clusters", Clusters { index: index.clone(), config, states, kept: BTreeMap::new() }.run(wanted));
}

/// The clusters that are kept, one task each.
struct Clusters {
    index: Shared<Index>,
    config: Arc<Config>,
    states: States,
    kept: BTreeMap<Arc<str>, Kept>,
}

/// The task of a cluster. It ends when the sender is dropped.
struct Kept {
    credentials: watch::Sender<secret::Credentials>,
    task: JoinHandle<()>,
}

impl Clusters {
    /// Keeps the clusters that are wanted. Ends with the error of a cluster's task, which has none.
    async fn run(mut self, mut wanted: watch::Receiver<Option<Wanted>>) -> Result<(), JoinError> {
        loop {
            let now = wanted.borrow_and_update().clone();
            if let Some(now) = now {
                self.keep(&now).await?;
                self.index.lock().clusters_are_known();
            }
            // The watch of Secrets holds the sender.
            let _ = wanted.changed().await;
        }
    }

    async fn keep(&mut self, wanted: &Wanted) -> Result<(), JoinError> {
        let gone: Vec<_> = self.kept.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        for name in gone {
            let Some(Kept { credentials, task }) = self.kept.remove(&name) else { continue };
            drop(credentials);
            task.await?;
        }
        let mut begun = Vec::new();
        for (name, credentials) in wanted {
            match self.kept.get(name) {
                Some(kept) => {
                    kept.credentials.send_if_modified(|known| {
                        let is_other = known != credentials;
                        known.clone_from(credentials);
                        is_other
                    });
                }
                None => begun.push(self.add(name, credentials.clone())),
            }
        }
        for begun in begun {
            // One that ended before it began is noticed when it goes.
            let _ = begun.await;
        }
        Ok(())
    }

    /// Begins to keep a cluster; tells when the index knows of it.
    fn add(&mut self, name: &Arc<str>, credentials: secret::Credentials) -> oneshot::Receiver<()> {
        let (sender, receiver) = watch::channel(credentials);
        let cluster = cluster::Cluster {
            name: name.clone(),
            index: self.index.clone(),
            config: self.config.clone(),
            states: self.states.clone(),
        };
        let (begin, begun) = oneshot::channel();
        let task = tokio::spawn(cluster.keep(receiver, begin));
        self.kept.insert(name.clone(), Kept { credentials: sender, task });
        begun
    }
}

#[cfg(test)]
mod tests;
