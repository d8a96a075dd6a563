//! The demo application, in the mesh.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::load::LOAD;
use crate::mesh::{DEMO, Mesh, is_injected, name};
use crate::report::Report;

/// The demo's Deployments, as their pods are labelled.
pub const APPS: [&str; 4] = ["web-svc", "emoji-svc", "voting-svc", "vote-bot"];

/// Applies the demo, and a load of our own, and waits until all pods are ready with a proxy.
pub async fn demo(mesh: &Mesh, report: &mut Report) -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/voting");
    let started = Instant::now();
    mesh.kubectl(&["apply", &format!("--filename={}", example.display())]).await?;
    for app in APPS {
        ready(mesh, &format!("app={app}")).await?;
    }
    report.time("from `kubectl apply` of the demo until its four pods are ready, with proxies", started.elapsed());
    mesh.apply(LOAD).await?;
    ready(mesh, "app=load").await
}

async fn ready(mesh: &Mesh, selector: &str) -> Result<()> {
    for pod in mesh.ready(DEMO, selector, Some(1)).await? {
        ensure!(is_injected(&pod), "{} has no proxy", name(&pod));
    }
    Ok(())
}

/// The questions that an operator asks.
pub async fn diagnostics(mesh: &Mesh) -> Result<()> {
    let web = mesh.pods(DEMO, "app=web-svc").await?;
    let pod = web.first().map(name).unwrap_or_default();
    let endpoints = mesh.linkerd(&["diagnostics", "endpoints", "web-svc.emojivoto.svc.cluster.local:80"]).await?;
    ensure!(endpoints.contains(pod), "endpoints printed\n{endpoints}");
    let profile = mesh.linkerd(&["diagnostics", "profile", "web-svc.emojivoto.svc.cluster.local:80"]).await?;
    ensure!(profile.contains("fully_qualified_name"), "profile printed\n{profile}");
    for (kind, port) in [(format!("po/{pod}"), "8080"), ("svc/web-svc".to_owned(), "80")] {
        let policy = mesh.linkerd(&["diagnostics", "policy", "-n", DEMO, &kind, port]).await?;
        ensure!(policy.contains("metadata"), "policy of {kind} printed\n{policy}");
    }
    let metrics = mesh.linkerd(&["diagnostics", "proxy-metrics", "-n", DEMO, "deploy/web"]).await?;
    ensure!(metrics.contains("process_start_time_seconds"), "proxy-metrics printed\n{metrics}");
    let metrics = mesh.linkerd(&["diagnostics", "controller-metrics"]).await?;
    ensure!(
        !metrics.contains("# ERROR") && metrics.matches("# POD").count() == 5,
        "controller-metrics printed\n{metrics}"
    );
    mesh.check(&["--proxy"]).await.map(drop)
}
