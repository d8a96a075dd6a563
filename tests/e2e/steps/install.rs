//! The control plane, installed as a new user would.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::mesh::{CONTROL_PLANE, Mesh, PODS, name, restarts};
use crate::report::Report;

/// The components of the control plane, as their pods are labelled.
pub const COMPONENTS: [&str; 5] = ["destination", "identity", "policy", "proxy-injector", "sp-validator"];

/// Installs, and waits until every process is ready without having been started twice.
pub async fn install(mesh: &Mesh, report: &mut Report) -> Result<()> {
    mesh.remember_objects().await?;
    let before = mesh.linkerd(&["check", "--pre"]).await?;
    ensure!(before.contains("Status check results are √"), "check --pre printed\n{before}");
    mesh.apply(&mesh.linkerd(&["install", "--crds"]).await?).await?;
    let mut arguments = vec!["install"];
    arguments.extend(mesh.install.iter().map(String::as_str));
    let manifests = mesh.linkerd(&arguments).await?;
    let started = Instant::now();
    mesh.apply(&manifests).await?;
    let applied = started.elapsed();
    for component in COMPONENTS {
        let selector = format!("linkerd.io/control-plane-component={component}");
        for pod in mesh.ready(CONTROL_PLANE, &selector, Some(1)).await? {
            // Waiting for one another must not take the form of a crash.
            ensure!(restarts(&pod) == 0, "{} was restarted {} times", name(&pod), restarts(&pod));
        }
    }
    report.time("from the end of `kubectl apply` until the whole control plane is ready", started.elapsed() - applied);
    memory(mesh, |slot, bytes| slot.0 = Some(bytes), report).await
}

/// Notes the memory of each process.
pub async fn memory(
    mesh: &Mesh,
    note: impl Fn(&mut (Option<f64>, Option<f64>), f64),
    report: &mut Report,
) -> Result<()> {
    for component in COMPONENTS {
        let selector = format!("linkerd.io/control-plane-component={component}");
        for pod in mesh.ready(CONTROL_PLANE, &selector, Some(1)).await? {
            let bytes = mesh.component_metrics(&pod).await?.value("process_resident_memory_bytes")?;
            note(report.memory.entry(component.to_owned()).or_default(), bytes);
        }
    }
    Ok(())
}

/// The command's own judgement, which has to agree.
pub async fn check(mesh: &Mesh) -> Result<()> {
    let wait = format!("--wait={}s", PODS.as_secs());
    let checks = mesh.linkerd(&["check", &wait]).await?;
    ensure!(checks.contains("Status check results are √"), "check printed\n{checks}");
    ensure!(!checks.contains('×'), "check printed\n{checks}");
    let version = mesh.linkerd(&["version"]).await?;
    ensure!(version.contains("Server version:") && !version.contains("unavailable"), "version printed\n{version}");
    Ok(())
}
