//! The control plane, installed as a new user would.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::mesh::{Mesh, PODS, name, restarts};
use crate::report::Report;

/// The components of the control plane, as their pods are labelled.
pub const COMPONENTS: [&str; 5] = ["destination", "identity", "policy", "proxy-injector", "sp-validator"];

/// Installs, and waits until every process is ready without having been started twice.
pub async fn install(mesh: &Mesh, report: &mut Report) -> Result<()> {
    mesh.remember_objects().await?;
    mesh.check(&["--pre"]).await?;
    mesh.apply(&mesh.linkerd(&["install", "--crds"]).await?).await?;
    let mut arguments = vec!["install"];
    arguments.extend(mesh.install.iter().map(String::as_str));
    let manifests = mesh.linkerd(&arguments).await?;
    let started = Instant::now();
    mesh.apply(&manifests).await?;
    let applied = started.elapsed();
    for component in COMPONENTS {
        let pod = mesh.component(component).await?;
        // Waiting for one another must not take the form of a crash.
        ensure!(restarts(&pod) == 0, "{} was restarted {} times", name(&pod), restarts(&pod));
    }
    report.time("from the end of `kubectl apply` until the whole control plane is ready", started.elapsed() - applied);
    report.memory_when_idle = memory(mesh).await?;
    Ok(())
}

/// Resident memory of each process, in bytes.
pub async fn memory(mesh: &Mesh) -> Result<BTreeMap<&'static str, f64>> {
    let mut memory = BTreeMap::new();
    for component in COMPONENTS {
        let metrics = mesh.component_metrics(&mesh.component(component).await?).await?;
        memory.insert(component, metrics.value("process_resident_memory_bytes")?);
    }
    Ok(memory)
}

/// The command's own judgement, which has to agree.
pub async fn check(mesh: &Mesh) -> Result<()> {
    let checks = mesh.check(&[&format!("--wait={}s", PODS.as_secs())]).await?;
    ensure!(!checks.contains('×'), "check printed\n{checks}");
    let version = mesh.linkerd(&["version"]).await?;
    ensure!(version.contains("Server version:") && !version.contains("unavailable"), "version printed\n{version}");
    Ok(())
}
