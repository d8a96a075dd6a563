//! The configuration of an installed control plane: what it was installed with, and whom its proxies trust.

use crate::cluster::ask;
use anyhow::{Context as _, anyhow};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use linkerd_injector::core::values::Values;
use serde_json::Value;

const CONFIG: &str = "linkerd-config";
const VALUES: &str = "values";
const TRUST_ROOTS: &str = "linkerd-identity-trust-roots";
const BUNDLE: &str = "ca-bundle.crt";

/// The values of the installation, as they are stored.
///
/// # Errors
/// When the cluster does not give them, or they are no YAML.
pub async fn tree(client: &Client, namespace: &str) -> anyhow::Result<Value> {
    let text = entry(client, namespace, CONFIG, VALUES).await?;
    serde_saphyr::from_str(&text).map_err(|error| {
        let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
        anyhow!("the values in ConfigMap {CONFIG} in namespace {namespace} are not YAML: {reason}")
    })
}

/// The values of the installation, as injection reads them.
///
/// # Errors
/// When the cluster does not give them, or they have another shape.
pub async fn values(client: &Client, namespace: &str) -> anyhow::Result<Values> {
    let tree = tree(client, namespace).await?;
    Values::from_tree(tree)
        .with_context(|| format!("the values in ConfigMap {CONFIG} in namespace {namespace} cannot be used"))
}

/// The trust anchors, in PEM.
///
/// # Errors
/// When the cluster does not give them.
pub async fn trust_anchors(client: &Client, namespace: &str) -> anyhow::Result<String> {
    entry(client, namespace, TRUST_ROOTS, BUNDLE).await
}

async fn entry(client: &Client, namespace: &str, name: &str, key: &str) -> anyhow::Result<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = ask(maps.get_opt(name)).await?;
    let map = map.with_context(|| {
        format!("there is no ConfigMap {name} in namespace {namespace}; name the control plane's namespace with -L")
    })?;
    let entry = map.data.and_then(|mut data| data.remove(key));
    entry.with_context(|| format!("the ConfigMap {name} in namespace {namespace} has no {key}"))
}
