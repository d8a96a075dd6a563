//! The values of the control plane in the cluster, which injection is compared with.

use crate::{
    cluster::{self, ask},
    failure::Bare,
    global::Global,
    linkerd_config,
    port_forward::Deployments,
};
use anyhow::anyhow;
use kube::Client;
use linkerd_injector::core::values::Values;

/// Deployments without which injected pods would not start, or not be injected at all.
const NEEDED: [&str; 3] = ["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"];

/// The values, with the trust anchors that proxies are given.
///
/// # Errors
/// When the cluster cannot be reached, or no control plane runs there.
pub async fn values(global: &Global) -> anyhow::Result<Values> {
    let client = reachable(global).await.map_err(|error| invalid("Cannot connect to Kubernetes", &error))?;
    let values = existing(&client, global.namespace()).await;
    values.map_err(|error| invalid("Cannot find Linkerd", &error))
}

fn invalid(what: &str, error: &anyhow::Error) -> anyhow::Error {
    anyhow!(Bare(format!(
        "{what}: {error:#}\n\
         Validate the install with: 'linkerd check'\n\
         Or inject with the defaults of the Helm chart instead of the cluster's values: --ignore-cluster\n"
    )))
}

async fn reachable(global: &Global) -> anyhow::Result<Client> {
    let client = cluster::connect(global).await?;
    ask(client.apiserver_version()).await?;
    Ok(client)
}

async fn existing(client: &Client, namespace: &str) -> anyhow::Result<Values> {
    let mut values = linkerd_config::values(client, namespace).await?;
    let deployments = Deployments::read(client, namespace).await?;
    for needed in NEEDED {
        deployments.running(needed).map_err(|_| anyhow!("No running pods for \"{needed}\""))?;
    }
    // Those in the ConfigMap are what proxies are given; the values may lack them, or be older.
    if let Ok(anchors) = linkerd_config::trust_anchors(client, namespace).await {
        values.identity_trust_anchors_pem = anchors;
    }
    tracing::debug!(namespace, "using the values of the cluster");
    Ok(values)
}
