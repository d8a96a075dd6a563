//! Which pod stands for a Deployment.

use super::pods::{is_ready, is_running};
use crate::cluster::ask;
use anyhow::{Context as _, anyhow};
use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, api::ListParams};

/// The Deployments of a namespace with their pods.
#[derive(Clone, Debug, Default)]
pub struct Deployments {
    namespace: String,
    pods: Vec<Pod>,
    replica_sets: Vec<ObjectMeta>,
}

impl Deployments {
    /// Reads them.
    ///
    /// # Errors
    /// When the cluster does not give them.
    pub async fn read(client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let all = ListParams::default();
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let replica_sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
        let (pods, replica_sets) = tokio::join!(ask(pods.list(&all)), ask(replica_sets.list_metadata(&all)));
        let listed = |what| move || format!("cannot list {what} in namespace {namespace}");
        Ok(Self {
            namespace: namespace.to_owned(),
            pods: pods.with_context(listed("pods"))?.items,
            replica_sets: replica_sets
                .with_context(listed("ReplicaSets"))?
                .items
                .into_iter()
                .map(|set| set.metadata)
                .collect(),
        })
    }

    /// Whether a Deployment is there, with pods or without.
    pub fn exists(&self, deployment: &str) -> bool {
        self.replica_sets.iter().any(|set| is_owned_by(set, "Deployment", deployment))
    }

    /// The pod to ask: a running one, rather ready than not, and rather one that is to stay.
    ///
    /// # Errors
    /// When none runs.
    pub fn running(&self, deployment: &str) -> anyhow::Result<&Pod> {
        let pods = self.pods.iter().filter(|pod| is_running(pod) && self.is_of(pod, deployment));
        let best =
            pods.min_by_key(|pod| (pod.metadata.deletion_timestamp.is_some(), !is_ready(pod), &pod.metadata.name));
        best.ok_or_else(|| {
            let namespace = &self.namespace;
            anyhow!("no running pods found for {deployment} in namespace {namespace}; see what 'linkerd check' says")
        })
    }

    fn is_of(&self, pod: &Pod, deployment: &str) -> bool {
        let sets = self.replica_sets.iter().filter(|set| is_owned_by(set, "Deployment", deployment));
        sets.filter_map(|set| set.name.as_deref()).any(|set| is_owned_by(&pod.metadata, "ReplicaSet", set))
    }
}

/// Whether this is the one owner of an object.
fn is_owned_by(object: &ObjectMeta, kind: &str, name: &str) -> bool {
    let owners = object.owner_references.as_deref().unwrap_or_default();
    matches!(owners, [OwnerReference { kind: its_kind, name: its_name, .. }] if its_kind == kind && its_name == name)
}

#[cfg(test)]
mod tests;
