//! The control plane is killed, part by part, under load: nobody notices, and all streams come back.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use linkerd_tests::eventually;

use super::install::COMPONENTS;
use super::scaling;
use crate::Proxy;
use crate::load;
use crate::mesh::{CONTROL_PLANE, MOMENT, Mesh, PODS, name};
use crate::report::Report;

pub async fn restarts(mesh: &Mesh, report: &mut Report) -> Result<()> {
    for component in COMPONENTS {
        let (requests, ()) = load::during(mesh, kill(mesh, component)).await.with_context(|| component.to_owned())?;
        report.requests.push((format!("{component} killed"), requests.sent, requests.lost));
        requests.ensure_none_lost().with_context(|| format!("while {component} was away"))?;
    }
    // And they all do their work: a new pod gets its proxy, its certificate, its policy and its requests.
    if mesh.proxy == Proxy::Real {
        let (requests, _) = load::during(mesh, scaling::there_and_back(mesh, "emoji", "emoji-svc", 2)).await?;
        requests.ensure_none_lost()?;
    }
    Ok(())
}

/// Kills a component's process, and waits for another one with as many streams.
async fn kill(mesh: &Mesh, component: &str) -> Result<()> {
    let killed = mesh.component(component).await?;
    let before = streams(mesh, &killed).await?;
    let namespace = format!("--namespace={CONTROL_PLANE}");
    // The process gets no time to say good-bye.
    mesh.kubectl(&["delete", "pod", &namespace, name(&killed), "--force", "--grace-period=0"]).await?;
    let another = eventually(PODS, || async {
        let pod = mesh.component(component).await?;
        ensure!(name(&pod) != name(&killed), "{} is still there", name(&pod));
        Ok(pod)
    });
    let another = another.await?;
    eventually(MOMENT, || async {
        let now = streams(mesh, &another).await?;
        let fewer = before.iter().find(|(method, count)| now.get(*method).unwrap_or(&0) < count);
        ensure!(fewer.is_none(), "streams before: {before:?}, now: {now:?}");
        Ok(())
    })
    .await
}

/// Streams that are open, by the name of their method.
async fn streams(mesh: &Mesh, pod: &Pod) -> Result<BTreeMap<String, i64>> {
    let metrics = mesh.component_metrics(pod).await?;
    let mut open = BTreeMap::new();
    for (metric, sign) in [("grpc_server_started_total", 1), ("grpc_server_handled_total", -1)] {
        for sample in metrics.of(metric).filter(|sample| sample.label("grpc_type") == "server_stream") {
            *open.entry(sample.label("grpc_method").to_owned()).or_default() += sign * sample.value as i64;
        }
    }
    Ok(open)
}
