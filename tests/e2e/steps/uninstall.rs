//! What was installed is removed, and nothing else.

use anyhow::{Context, Result, ensure};
use linkerd_tests::eventually;

use crate::mesh::{DEMO, Mesh, PODS};

pub async fn uninstall(mesh: &Mesh) -> Result<()> {
    let refused = mesh.linkerd(&["uninstall"]).await.err().context("uninstall went ahead with the demo in the mesh")?;
    let refused = format!("{refused:#}");
    ensure!(refused.contains(&format!("{DEMO}/web")), "the pods in the mesh are not named: {refused}");
    mesh.kubectl(&["delete", "namespace", DEMO]).await?;
    remove(mesh, &[]).await?;
    eventually(PODS, || async {
        let left = mesh.new_objects().await?;
        ensure!(left.is_empty(), "{} objects are left: {}", left.len(), left.join(", "));
        Ok(())
    })
    .await
}

/// Removes the demo and the control plane, if they are there.
pub async fn clean(mesh: &Mesh) -> Result<()> {
    mesh.kubectl(&["delete", "namespace", DEMO, "--ignore-not-found"]).await?;
    match mesh.kubectl(&["get", "namespace", crate::mesh::CONTROL_PLANE, "--ignore-not-found"]).await?.trim() {
        "" => Ok(()),
        _ => remove(mesh, &["--force"]).await,
    }
}

async fn remove(mesh: &Mesh, arguments: &[&str]) -> Result<()> {
    let manifests = mesh.linkerd(&[&["uninstall"], arguments].concat()).await?;
    mesh.kubectl_with(&["delete", "--filename=-", "--ignore-not-found"], &manifests).await.map(drop)
}
