//! From Secrets to the clusters that they name.

use super::secret::{Credentials, Secret};
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::sync::watch;

/// Clusters by name.
pub type Wanted = BTreeMap<Arc<str>, Credentials>;

/// The Secrets that name clusters.
#[derive(Debug)]
pub struct Secrets {
    known: BTreeMap<ObjectId, Credentials>,
    is_listed: bool,
    wanted: watch::Sender<Option<Wanted>>,
}

impl Secrets {
    /// No Secrets yet, and the clusters that they name: nothing before the list of Secrets is complete.
    pub fn new() -> (Self, watch::Receiver<Option<Wanted>>) {
        let (wanted, receiver) = watch::channel(None);
        (Self { known: BTreeMap::new(), is_listed: false, wanted }, receiver)
    }

    fn publish(&self) {
        if !self.is_listed {
            return;
        }
        let mut wanted = Wanted::new();
        for credentials in self.known.values() {
            // Of several Secrets for one cluster the first counts.
            wanted.entry(credentials.cluster.clone()).or_insert_with(|| credentials.clone());
        }
        self.wanted.send_if_modified(|known| {
            let is_other = known.as_ref() != Some(&wanted);
            *known = Some(wanted);
            is_other
        });
    }

    fn warn_of_namesake(&self, id: &ObjectId, cluster: &str) {
        let namesake = self.known.iter().find(|(other, known)| *other != id && *known.cluster == *cluster);
        if let Some((other, _)) = namesake {
            let used = id.min(other);
            tracing::warn!(secret = %id, %other, cluster, %used, "two Secrets name one cluster; delete one");
        }
    }
}

impl Sink<Secret> for Secrets {
    fn apply(&mut self, secret: Secret) {
        let id = secret.id();
        match Credentials::read(secret) {
            Ok(credentials) => {
                self.warn_of_namesake(&id, &credentials.cluster);
                self.known.insert(id, credentials);
            }
            Err(reason) => {
                tracing::error!(secret = %id, %reason, "Secret names no cluster and is ignored; \
                                                        add what it lacks, or link the cluster again");
                self.known.remove(&id);
            }
        }
        self.publish();
    }

    fn delete(&mut self, id: &ObjectId) {
        self.known.remove(id);
        self.publish();
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.known.retain(|id, _| live.contains(id));
        self.is_listed = true;
        self.publish();
    }
}
