//! Whether the cluster is ready for the control plane.

use super::documents::Document;
use crate::failure::Bare;
use anyhow::anyhow;
use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        core::v1::{ConfigMap, Node, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, api::ListParams};
use serde_json::Value;

/// Label of everything that belongs to a control plane: its namespace.
const CONTROL_PLANE: &str = "linkerd.io/control-plane-ns";

/// What an installation has to know of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Trust anchors beside an external issuer.
    pub external_anchors: Option<String>,
    /// Nodes whose pods cannot change the redirection of traffic unless as root.
    pub docker_nodes: Vec<String>,
}

/// Looks at the cluster.
///
/// `definitions` are the custom resources that must be there.
///
/// # Errors
/// When it cannot be asked, lacks definitions, or has a control plane already.
pub async fn look(client: &Client, namespace: &str, definitions: &[Document]) -> anyhow::Result<Found> {
    check_definitions(client, definitions).await?;
    check_absent(client, namespace).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let issuer = asked(secrets.get_opt("linkerd-identity-issuer").await)?;
    let external_anchors = issuer.and_then(|issuer| issuer.data?.remove("ca.crt"));
    Ok(Found {
        external_anchors: external_anchors.and_then(|anchors| String::from_utf8(anchors.0).ok()),
        docker_nodes: docker_nodes(client).await,
    })
}

/// Checks that there is no control plane: neither here, nor one elsewhere whose webhooks this one would take.
///
/// # Errors
/// When there is one, or the cluster cannot be asked.
pub async fn check_absent(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    if asked(maps.get_opt("linkerd-config").await)?.is_some() {
        let text = format!(
            "Linkerd is installed already: there is a ConfigMap linkerd-config in namespace {namespace}.\n\
             Use `linkerd upgrade` to change it, or --ignore-cluster to print manifests all the same."
        );
        return Err(Bare(text).into());
    }
    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let webhook = asked(webhooks.get_opt("linkerd-proxy-injector-webhook-config").await)?;
    let owner = webhook.and_then(|webhook| webhook.metadata.labels?.remove(CONTROL_PLANE));
    match owner.filter(|owner| owner != namespace) {
        None => Ok(()),
        Some(owner) => {
            let text = format!(
                "There is a control plane in namespace {owner}, and a cluster can have one only: both would use \
                 the same webhook configurations.\nUninstall it first, or install there with -L {owner}."
            );
            Err(Bare(text).into())
        }
    }
}

async fn check_definitions(client: &Client, definitions: &[Document]) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut missing = Vec::new();
    for wanted in definitions {
        let version = stored_version(&wanted.object).unwrap_or_default();
        let found = asked(api.get_opt(wanted.name()).await)?;
        let is_served = |found: CustomResourceDefinition| {
            found.spec.versions.iter().any(|served| served.served && served.name == version)
        };
        if !found.is_some_and(is_served) {
            missing.push(format!("{} {version}", wanted.name()));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "Linkerd CRDs must be installed first. Run linkerd install with the --crds flag.\nMissing: {}",
        missing.join(", ")
    );
    Err(Bare(text).into())
}

fn stored_version(definition: &Value) -> Option<&str> {
    let versions = definition["spec"]["versions"].as_array()?;
    versions.iter().find(|version| version["storage"] == true)?["name"].as_str()
}

/// Nodes with Docker. Somebody who may not list nodes gets no warning.
async fn docker_nodes(client: &Client) -> Vec<String> {
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = nodes.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let has_docker = |node: &Node| {
        let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
        info.is_some_and(|info| info.container_runtime_version.starts_with("docker:"))
    };
    nodes.into_iter().filter(has_docker).filter_map(|node| node.metadata.name).collect()
}

/// The answer of the API server, or how to go on without it.
fn asked<T>(answer: kube::Result<T>) -> anyhow::Result<T> {
    answer.map_err(|error| {
        let error = anyhow!(error).context("cannot ask the Kubernetes API");
        Bare(format!("{error:#}\nUse --ignore-cluster to print manifests without looking at the cluster.")).into()
    })
}
