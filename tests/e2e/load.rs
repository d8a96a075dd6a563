//! Load on the demo, and what became of its requests.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use linkerd_tests::eventually;

use crate::mesh::{DEMO, MOMENT, Mesh};

/// A bot of the demo that votes often, and does not wait for answers, from a pod of the mesh.
pub const LOAD: &str = include_str!("load.yaml");

/// Where the bot serves its counters.
const COUNTERS: i32 = 8801;
/// Requests that make a load before, and after, whatever is done meanwhile.
const SOME: u64 = 50;

/// Requests in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    pub sent: u64,
    /// Without an answer, or with one that the website does not give.
    pub lost: u64,
}

impl Requests {
    /// # Errors
    /// When some were lost.
    pub fn ensure_none_lost(&self) -> Result<()> {
        ensure!(self.lost == 0, "{} of {} requests were lost", self.lost, self.sent);
        Ok(())
    }
}

/// The pod that makes the load.
pub async fn pod(mesh: &Mesh) -> Result<Pod> {
    Ok(mesh.ready(DEMO, "app=load", Some(1)).await?.remove(0))
}

async fn count(mesh: &Mesh, pod: &Pod) -> Result<Requests> {
    let metrics = mesh.metrics(pod, COUNTERS).await?;
    let value = |name| metrics.value(name).map(|value| value as u64);
    Ok(Requests { sent: value("vote_bot_requests_sent_total")?, lost: value("vote_bot_requests_failed_total")? })
}

/// Does something under load, and tells what became of the requests meanwhile.
pub async fn during<T>(mesh: &Mesh, action: impl Future<Output = Result<T>>) -> Result<(Requests, T)> {
    let pod = pod(mesh).await?;
    let before = flow(mesh, &pod).await?;
    let result = action.await?;
    // What was sent during the action has been answered when as much again has been.
    let after = flow(mesh, &pod).await?;
    Ok((Requests { sent: after.sent - before.sent, lost: after.lost - before.lost }, result))
}

/// What became of the requests of two seconds.
pub async fn moment(mesh: &Mesh) -> Result<Requests> {
    let (requests, ()) = during(mesh, async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    })
    .await?;
    Ok(requests)
}

/// Waits for some more requests, and returns the counts then.
async fn flow(mesh: &Mesh, pod: &Pod) -> Result<Requests> {
    let before = count(mesh, pod).await.context("the load has no counters")?;
    eventually(MOMENT, || async {
        let now = count(mesh, pod).await?;
        ensure!(now.sent >= before.sent + SOME, "only {} requests were sent", now.sent - before.sent);
        Ok(now)
    })
    .await
    .context("there is no load")
}
