//! `linkerd version` on a cluster.

use crate::{
    installation::{Installation, container},
    linkerd,
};
use anyhow::Result;
use linkerd_tests::apiserver::ApiServer;
use serde_json::json;

// Acceptance case 34 of the command line.
#[tokio::test]
async fn the_server_is_that_of_the_named_namespace() -> Result<()> {
    let installation = Installation::configured("linkerdVersion: edge-1.2.3").await?;
    let client = env!("CARGO_PKG_VERSION");
    let text = installation.linkerd(&["version"]).await.result();
    assert_eq!(text, format!("Client version: {client}\nServer version: edge-1.2.3\n"));
    let other = installation.linkerd(&["version", "-L", "other", "--short"]).await.result();
    assert_eq!(other, format!("{client}\nunavailable\n"));
    Ok(())
}

// Acceptance case 62 of the command line.
#[tokio::test]
async fn proxies_are_counted_by_version_in_one_namespace_or_in_all() -> Result<()> {
    let installation = Installation::configured("linkerdVersion: v1").await?;
    let elsewhere = installation.cluster.unique_namespace("app").await?;
    let pods = [("a", &installation.namespace, "p:v2"), ("b", &elsewhere, "p:v2"), ("c", &elsewhere, "p:v1")];
    for (name, namespace, image) in pods {
        let mut proxy = container("linkerd-proxy");
        proxy["image"] = image.into();
        let labels = json!({ "linkerd.io/control-plane-ns": installation.namespace });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": labels },
            "spec": { "containers": [proxy] },
        });
        installation.cluster.apply_object(namespace, pod).await?;
    }
    let all = installation.linkerd(&["version", "--proxy"]).await.result();
    assert!(all.ends_with("\nServer version: v1\nProxy versions:\n\tv1 (1 pods)\n\tv2 (2 pods)\n"), "{all}");
    let one = installation.linkerd(&["version", "--proxy", "-n", &installation.namespace]).await.result();
    assert!(one.ends_with("\nProxy versions:\n\tv2 (1 pods)\n"), "{one}");
    let none = installation.linkerd(&["version", "--proxy", "-n", "default"]).await.result();
    assert!(none.ends_with("\nProxy versions: none\n"), "{none}");
    Ok(())
}

// Acceptance cases 61 and 75 of the command line.
#[tokio::test]
async fn a_cluster_that_does_not_answer_is_unavailable_but_a_missing_context_is_an_error() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let error = linkerd(server.kubeconfig(), &["version", "--context", "x"], "").await.error();
    assert!(
        error.starts_with("Error: error configuring Kubernetes API client: context \"x\" does not exist\n"),
        "{error}"
    );
    assert!(error.contains("Usage: linkerd version"), "{error}");
    server.pause()?;
    for _ in ["stopped", "gone"] {
        let text = linkerd(server.kubeconfig(), &["version", "--proxy"], "").await.result();
        assert!(text.ends_with("\nServer version: unavailable\nProxy versions: unavailable\n"), "{text}");
        server.kill();
    }
    Ok(())
}
