//! The pods of a workload: those that it owns, itself or through what it owns.

use crate::{cluster::ask, resource::Kind};
use anyhow::{Context as _, anyhow, bail};
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    core::Selector,
};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// Kinds whose pods are known, with their group; all are of version 1.
const KINDS: [(Kind, &str, &str); 8] = [
    (Kind::CronJob, "batch", "CronJob"),
    (Kind::DaemonSet, "apps", "DaemonSet"),
    (Kind::Deployment, "apps", "Deployment"),
    (Kind::Job, "batch", "Job"),
    (Kind::Pod, "", "Pod"),
    (Kind::ReplicaSet, "apps", "ReplicaSet"),
    (Kind::ReplicationController, "", "ReplicationController"),
    (Kind::StatefulSet, "apps", "StatefulSet"),
];

/// A workload.
#[derive(Clone, Debug)]
pub struct Workload {
    kind: Kind,
    group: &'static str,
    api_kind: &'static str,
    name: String,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

impl Workload {
    /// A workload of a kind that has pods.
    ///
    /// # Errors
    /// When the kind has none.
    pub fn new(kind: Kind, name: String) -> anyhow::Result<Self> {
        match KINDS.into_iter().find(|(known, ..)| *known == kind) {
            Some((kind, group, api_kind)) => Ok(Self { kind, group, api_kind, name }),
            None => {
                let known = KINDS.map(|(kind, ..)| kind.name()).join(", ");
                bail!("unsupported resource type: {}; use one of {known}", kind.name())
            }
        }
    }

    /// Its pods.
    ///
    /// # Errors
    /// When there is no such workload, or the cluster does not tell.
    pub async fn pods(&self, client: &Client, namespace: &str) -> anyhow::Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let named = |error: anyhow::Error| anyhow!("{error:#} in namespace {namespace}");
        if self.kind == Kind::Pod {
            return Ok(vec![ask(pods.get(&self.name)).await.map_err(named)?]);
        }
        let workload = ask(objects(client, namespace, self.group, self.api_kind).get(&self.name)).await;
        let workload = workload.map_err(named)?;
        let selected = selector(&workload.data["spec"]["selector"])?;
        let owners = self.owners(client, namespace, &workload, &selected).await?;
        let pods = ask(pods.list(&selected)).await.context("cannot list pods")?;
        Ok(pods.items.into_iter().filter(|pod| is_owned(&pod.metadata, &owners)).collect())
    }

    /// UIDs of what owns its pods: itself, or the ReplicaSets or Jobs that it made.
    async fn owners(
        &self,
        client: &Client,
        namespace: &str,
        workload: &DynamicObject,
        selected: &ListParams,
    ) -> anyhow::Result<BTreeSet<String>> {
        let itself = BTreeSet::from_iter(workload.metadata.uid.clone());
        let (group, between) = match self.kind {
            Kind::Deployment => ("apps", "ReplicaSet"),
            Kind::CronJob => ("batch", "Job"),
            _ => return Ok(itself),
        };
        let made = ask(objects(client, namespace, group, between).list_metadata(selected)).await;
        let made = made.with_context(|| format!("cannot list objects of kind {between}"))?;
        let owned = made.items.into_iter().filter(|object| is_owned(&object.metadata, &itself));
        Ok(owned.filter_map(|object| object.metadata.uid).collect())
    }
}

fn objects(client: &Client, namespace: &str, group: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// What a workload selects pods with. A ReplicationController has bare labels, and a CronJob nothing.
fn selector(selector: &Value) -> anyhow::Result<ListParams> {
    let is_bare = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let selector: LabelSelector = match selector {
        Value::Null => return Ok(ListParams::default()),
        labels if is_bare => {
            LabelSelector { match_labels: serde_json::from_value(labels.clone())?, ..LabelSelector::default() }
        }
        selector => serde_json::from_value(selector.clone())?,
    };
    Ok(ListParams::default().labels_from(&Selector::try_from(selector)?))
}

fn is_owned(object: &ObjectMeta, owners: &BTreeSet<String>) -> bool {
    object.owner_references.iter().flatten().any(|owner| owners.contains(&owner.uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_without_pods_are_refused_with_those_that_have_some() {
        let error = Workload::new(Kind::Service, "web".to_owned()).unwrap_err().to_string();
        assert!(error.starts_with("unsupported resource type: service; use one of cronjob, "), "{error}");
        assert_eq!(Workload::new(Kind::StatefulSet, "web".to_owned()).unwrap().to_string(), "statefulset/web");
    }

    #[test]
    fn selectors_of_every_form_are_understood() {
        let labels = |value| selector(&value).unwrap().label_selector;
        assert_eq!(labels(Value::Null), None);
        assert_eq!(labels(json!({"app": "web"})).as_deref(), Some("app=web"));
        let both = json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]});
        assert_eq!(labels(both).as_deref(), Some("app=web,x"));
    }
}
