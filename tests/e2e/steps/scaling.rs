//! Pods that come and go under load cost no request, and new ones get their share.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use linkerd_tests::eventually;

use super::install::memory;
use crate::load;
use crate::mesh::{DEMO, MOMENT, Mesh, name};
use crate::report::Report;

/// Deployments that are scaled, and the label of their pods.
const SCALED: [(&str, &str); 3] = [("web", "web-svc"), ("emoji", "emoji-svc"), ("voting", "voting-svc")];

pub async fn scaling(mesh: &Mesh, report: &mut Report) -> Result<()> {
    for (deployment, app) in SCALED {
        let (requests, time) = load::during(mesh, there_and_back(mesh, deployment, app, 3)).await?;
        report.requests.push((format!("{deployment} scaled from 1 to 3 and back"), requests.sent, requests.lost));
        report.time(format!("from `kubectl scale` until two more pods of {deployment} are ready, with proxies"), time);
        requests.ensure_none_lost().with_context(|| format!("while {deployment} was scaled"))?;
    }
    report.memory_under_load = memory(mesh).await?;
    Ok(())
}

/// Scales up until every pod gets requests, and down to one again. Returns the time until they were ready.
pub async fn there_and_back(mesh: &Mesh, deployment: &str, app: &str, replicas: usize) -> Result<Duration> {
    let selector = format!("app={app}");
    let time = scale(mesh, deployment, &selector, replicas).await?;
    for pod in &mesh.pods(DEMO, &selector).await? {
        eventually(MOMENT, || receives(mesh, pod)).await.with_context(|| format!("{deployment} scaled up"))?;
    }
    scale(mesh, deployment, &selector, 1).await?;
    Ok(time)
}

/// Scales, and waits until just that many pods are there, ready, and the others are gone. Returns the
/// time until they were ready.
async fn scale(mesh: &Mesh, deployment: &str, selector: &str, replicas: usize) -> Result<Duration> {
    let started = Instant::now();
    mesh.scale(DEMO, deployment, replicas).await?;
    mesh.ready(DEMO, selector, Some(replicas)).await?;
    let time = started.elapsed();
    mesh.gone(DEMO, selector, replicas).await?;
    Ok(time)
}

/// Whether a pod's proxy has let authenticated requests in.
async fn receives(mesh: &Mesh, pod: &Pod) -> Result<()> {
    let metrics = mesh.proxy_metrics(pod).await?;
    let requests =
        metrics.sum("request_total", |sample| sample.label("direction") == "inbound" && sample.label("tls") == "true");
    ensure!(requests > 0.0, "{} gets no requests", name(pod));
    Ok(())
}
