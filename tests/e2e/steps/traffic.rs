//! Requests between all services are encrypted, and both ends know each other.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use linkerd_tests::eventually;

use crate::mesh::{DEMO, MOMENT, Mesh, identity, name};
use crate::metrics::Sample;

/// Who calls whom in the demo: labels of the pods.
const CALLS: [(&str, &str); 3] = [("vote-bot", "web-svc"), ("web-svc", "emoji-svc"), ("web-svc", "voting-svc")];

pub async fn traffic(mesh: &Mesh) -> Result<()> {
    for (client, server) in CALLS {
        let what = || format!("requests from {client} to {server}");
        eventually(MOMENT, || is_authenticated(mesh, client, server)).await.with_context(what)?;
    }
    Ok(())
}

async fn is_authenticated(mesh: &Mesh, client: &str, server: &str) -> Result<()> {
    let (client, server) = (only(mesh, client).await?, only(mesh, server).await?);
    let (client_id, server_id) = (identity(&client), identity(&server));
    let address = server.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_default();

    let sent = mesh.proxy_metrics(&client).await?;
    let to_server = |sample: &&Sample| sample.label("direction") == "outbound" && sample.label("target_ip") == address;
    let requests: Vec<_> = sent.of("request_total").filter(to_server).collect();
    ensure!(!requests.is_empty(), "{} has sent nothing to {address}", name(&client));
    for request in requests {
        let proven = request.label("tls") == "true" && request.label("server_id") == server_id;
        ensure!(proven, "wanted server_id {server_id}: {request:?}");
    }

    let received = mesh.proxy_metrics(&server).await?;
    let from_client = |sample: &Sample| {
        let inbound = sample.label("direction") == "inbound";
        inbound && sample.label("tls") == "true" && sample.label("client_id") == client_id
    };
    let requests = received.sum("request_total", from_client);
    ensure!(requests > 0.0, "{} has received nothing from {client_id}", name(&server));
    Ok(())
}

async fn only(mesh: &Mesh, app: &str) -> Result<Pod> {
    let mut pods = mesh.pods(DEMO, &format!("app={app}")).await?;
    ensure!(pods.len() == 1, "{} pods of {app}", pods.len());
    Ok(pods.remove(0))
}
