//! A real API server takes what is rendered.

use crate::rendering::{Credentials, Objects, linkerd};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use linkerd_tests::{apiserver::ApiServer, cluster::Cluster};
use serde_json::{Value, json};

/// Installs everything in a server of its own: definitions and roles are not in a namespace.
async fn installed(arguments: &[&str]) -> Result<(ApiServer, Cluster, Objects)> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    for definition in linkerd(&["--crds"]).iter() {
        cluster.install_crds(&definition.to_string()).await?;
    }
    let objects = linkerd(arguments);
    for object in objects.iter() {
        cluster.apply_object("default", object.clone()).await?;
    }
    Ok((server, cluster, objects))
}

#[tokio::test]
async fn every_object_is_accepted_and_the_pods_conform_to_the_restricted_standard() -> Result<()> {
    let credentials = Credentials::make();
    for more in [&[][..], &["--ha", "--controller-gid=5", "--set", "disableIPv6=false"]] {
        let arguments = [&credentials.flags(), more].concat();
        let (_server, cluster, objects) = installed(&arguments).await?;
        let pods: Api<Pod> = Api::namespaced(cluster.client(), "linkerd");
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        for deployment in deployments {
            let name = deployment["metadata"]["name"].as_str().context("no name")?;
            let pod = serde_json::from_value(pod_of(deployment, name))?;
            // The namespace enforces the standard: the API server refuses what does not conform.
            let dry_run = PostParams { dry_run: true, ..PostParams::default() };
            pods.create(&dry_run, &pod).await.with_context(|| format!("pod of {name}"))?;
        }
    }
    Ok(())
}

fn pod_of(deployment: &Value, name: &str) -> Value {
    let template = &deployment["spec"]["template"];
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod" });
    pod["spec"] = template["spec"].clone();
    pod["metadata"] = template["metadata"].clone();
    pod["metadata"]["name"] = format!("{name}-0").into();
    pod
}

#[tokio::test]
async fn a_pod_that_does_not_conform_is_refused_in_the_namespace_of_the_control_plane() -> Result<()> {
    let (_server, cluster, objects) = installed(&[]).await?;
    let mut pod = pod_of(objects.get("Deployment", "linkerd-identity"), "linkerd-identity");
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "linkerd");
    let refused = pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await;
    let reason = refused.err().context("it was created")?.to_string();
    ensure!(reason.contains("restricted"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn applying_again_changes_nothing() -> Result<()> {
    let credentials = Credentials::make();
    let (_server, cluster, objects) = installed(&credentials.flags()).await?;
    for object in objects.iter() {
        let before = cluster.read(&serde_json::from_value(object.clone())?).await;
        let after = cluster.apply_object("linkerd", object.clone()).await?;
        // Objects outside of namespaces are read as they are, others in their own.
        let before = before.context("it is there")?;
        ensure!(before.metadata.resource_version == after.metadata.resource_version, "{object}");
    }
    Ok(())
}
