//! What happens to new pods while the injector is away is what the webhook's failure policy says.

use anyhow::{Result, bail, ensure};
use linkerd_tests::eventually;
use serde_json::{Value, json};

use crate::mesh::{CONTROL_PLANE, DEMO, MOMENT, Mesh, is_injected};

const INJECTOR: &str = "linkerd.io/control-plane-component=proxy-injector";

pub async fn failure_policy(mesh: &Mesh) -> Result<()> {
    scale(mesh, 0).await?;
    let away = without_injector(mesh).await;
    set_policy(mesh, "Ignore").await?;
    scale(mesh, 1).await?;
    away?;
    // The node takes a moment to send calls to it again, and till then they are ignored.
    eventually(MOMENT, || async {
        create(mesh, "late").await?;
        let pods = mesh.pods(DEMO, "app=late").await?;
        delete(mesh, "late").await?;
        ensure!(pods.len() == 1 && pods.iter().all(is_injected), "the injector is back, but new pods have no proxy");
        Ok(())
    })
    .await
}

async fn without_injector(mesh: &Mesh) -> Result<()> {
    // `Ignore` is the chart's default.
    create(mesh, "ignored").await?;
    let pods = mesh.pods(DEMO, "app=ignored").await?;
    delete(mesh, "ignored").await?;
    ensure!(pods.len() == 1 && !pods.iter().any(is_injected), "with Ignore, a pod without a proxy was expected");
    set_policy(mesh, "Fail").await?;
    eventually(MOMENT, || async {
        match create(mesh, "refused").await {
            Err(error) if format!("{error:#}").contains("failed calling webhook") => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                delete(mesh, "refused").await?;
                bail!("with Fail, the pod was made all the same");
            }
        }
    })
    .await
}

async fn scale(mesh: &Mesh, replicas: usize) -> Result<()> {
    mesh.scale(CONTROL_PLANE, "linkerd-proxy-injector", replicas).await?;
    if replicas > 0 {
        mesh.ready(CONTROL_PLANE, INJECTOR, Some(replicas)).await?;
    }
    mesh.gone(CONTROL_PLANE, INJECTOR, replicas).await
}

async fn set_policy(mesh: &Mesh, policy: &str) -> Result<()> {
    let patch = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": policy}]).to_string();
    let object = "mutatingwebhookconfiguration/linkerd-proxy-injector-webhook-config";
    mesh.kubectl(&["patch", object, "--type=json", "--patch", &patch]).await.map(drop)
}

/// Makes a pod, after removing what an earlier run may have left.
async fn create(mesh: &Mesh, name: &str) -> Result<()> {
    delete(mesh, name).await?;
    let pod: Value = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": DEMO, "labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": "localhost/linkerd-rs/voting:0.1.0", "args": ["emoji"]}]},
    });
    mesh.kubectl_with(&["create", "--filename=-"], &pod.to_string()).await.map(drop)
}

async fn delete(mesh: &Mesh, name: &str) -> Result<()> {
    let namespace = format!("--namespace={DEMO}");
    let at_once = ["--force", "--grace-period=0", "--ignore-not-found"];
    mesh.kubectl(&[&["delete", "pod", &namespace, name], &at_once[..]].concat()).await.map(drop)
}
