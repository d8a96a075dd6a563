//! `linkerd inject` with the values of a cluster.

use crate::{
    installation::{Installation, container},
    linkerd,
};
use anyhow::Result;
use linkerd_tests::apiserver::ApiServer;
use serde_json::json;

const DEPLOYMENT: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: \
                          {containers: [{name: web, image: web}]}}}}";

/// A control plane with the pods that injection needs.
async fn running(values: &str) -> Result<Installation> {
    let installation = Installation::configured(values).await?;
    for deployment in ["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"] {
        installation.pod(deployment, "Running", json!([container("server")])).await?;
    }
    Ok(installation)
}

#[tokio::test]
async fn options_are_compared_with_the_values_of_the_cluster() -> Result<()> {
    let installation = running("proxy: {ports: {admin: 1234}}").await?;
    let ran = installation.linkerd_with_input(&["inject", "--admin-port", "1234", "-"], DEPLOYMENT).await;
    assert!(ran.succeeded && ran.stdout.contains("linkerd.io/inject: enabled"), "{ran:?}");
    assert!(!ran.stdout.contains("admin-port"), "{ran:?}");
    let ran = installation.linkerd_with_input(&["inject", "--admin-port", "4191", "-"], DEPLOYMENT).await;
    assert!(ran.stdout.contains("config.linkerd.io/admin-port: \"4191\""), "{ran:?}");
    let ran =
        installation.linkerd_with_input(&["inject", "--ignore-cluster", "--admin-port=4191", "-"], DEPLOYMENT).await;
    assert!(ran.succeeded && !ran.stdout.contains("admin-port"), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn the_whole_proxy_trusts_the_anchors_of_the_cluster() -> Result<()> {
    let installation = running("").await?;
    let ran = installation.linkerd_with_input(&["inject", "--manual", "-"], DEPLOYMENT).await;
    assert!(ran.succeeded && ran.stdout.contains("linkerd.io/trust-root-sha256"), "{ran:?}");
    let identity = format!("serviceaccount.identity.{}.mesh.example", installation.namespace);
    assert!(ran.stdout.contains(&identity), "{}", ran.stdout);
    Ok(())
}

// Acceptance case 74 of the command line.
#[tokio::test]
async fn a_control_plane_that_could_not_inject_is_told() -> Result<()> {
    let installation = Installation::empty().await?;
    let inject = async |arguments: &[&str]| {
        let arguments = [&["inject", "-"], arguments].concat();
        installation.linkerd_with_input(&arguments, DEPLOYMENT).await.error()
    };
    let namespace = &installation.namespace;
    let absent = inject(&[]).await;
    let no_config = format!("Cannot find Linkerd: there is no ConfigMap linkerd-config in namespace {namespace}");
    assert!(absent.starts_with(&no_config), "{absent}");
    let installation = Installation::configured("").await?;
    for deployment in ["linkerd-destination", "linkerd-identity"] {
        installation.pod(deployment, "Running", json!([container("server")])).await?;
    }
    installation.pod("linkerd-proxy-injector", "Pending", json!([container("server")])).await?;
    let stopped = installation.linkerd_with_input(&["inject", "-"], DEPLOYMENT).await.error();
    let first = "Cannot find Linkerd: No running pods for \"linkerd-proxy-injector\"\n\
                 Validate the install with: 'linkerd check'\n";
    assert!(stopped.starts_with(first) && stopped.contains("--ignore-cluster"), "{stopped}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_told() -> Result<()> {
    let mut server = ApiServer::start().await?;
    server.kill();
    let error = linkerd(server.kubeconfig(), &["inject", "-"], DEPLOYMENT).await.error();
    assert!(error.starts_with("Cannot connect to Kubernetes: "), "{error}");
    assert!(error.contains("onnection refused") && error.contains("'linkerd check'"), "{error}");
    Ok(())
}
