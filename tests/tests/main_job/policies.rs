//! Policies through `linkerd-policy`.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use linkerd_proto::inbound::{
    PortSpec, Server, inbound_server_policies_client::InboundServerPoliciesClient, proxy_protocol::Kind,
};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use serde_json::json;
use tonic::Streaming;

use crate::setup::{DEADLINE, Service, channel, cluster, define};

fn policy(kubeconfig: &Path) -> Result<Service> {
    let service = Service::new("linkerd-policy", ["--grpc-addr", "--admin-addr"], kubeconfig)?;
    Ok(service.args(&["--default-opaque-ports=25,3306", "--default-policy=all-unauthenticated"]))
}

async fn pod(cluster: &Cluster) -> Result<String> {
    let namespace = cluster.unique_namespace("policies").await?;
    cluster.service_account(&namespace, "default").await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "web", "linkerd.io/control-plane-ns": "linkerd"}},
        "spec": {"containers": [{"name": "web", "image": "web", "ports": [{"name": "http", "containerPort": 8080}]}]},
    });
    cluster.apply(&namespace, &pod.to_string()).await?;
    Ok(namespace)
}

/// Watches the pod's port, with a workload as injected proxies write it.
async fn watch(address: SocketAddr, namespace: &str) -> Result<Streaming<Server>> {
    let request = PortSpec { workload: format!("{{\"ns\":\"{namespace}\",\"pod\":\"web\"}}\n"), port: 8080 };
    Ok(InboundServerPoliciesClient::new(channel(address)?).watch_port(request).await?.into_inner())
}

/// Reads policies until one has this label name and kind of protocol.
async fn becomes(stream: &mut Streaming<Server>, name: &str, kind: &str) -> Result<Server> {
    let mut last = None;
    loop {
        let next = tokio::time::timeout(DEADLINE, stream.message()).await;
        let server = next.with_context(|| format!("never became {name} {kind}; last: {last:?}"))??;
        let server = server.context("the stream ended")?;
        let protocol = server.protocol.clone().and_then(|protocol| protocol.kind);
        let is_kind = match protocol {
            Some(Kind::Detect(_)) => kind == "detect",
            Some(Kind::Http1(_)) => kind == "http1",
            Some(Kind::Opaque(_)) => kind == "opaque",
            _ => false,
        };
        if is_kind && server.labels.get("name").is_some_and(|label| label == name) {
            return Ok(server);
        }
        last = Some(server);
    }
}

const SERVER: &str = "
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: web-http}
spec: {podSelector: {matchLabels: {app: web}}, port: http, proxyProtocol: HTTP/1, accessPolicy: deny}
";

const AUTHORIZATION: &str = "
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: only-bot}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: web-http}
  requiredAuthenticationRefs: [{kind: ServiceAccount, name: bot}]
";

#[tokio::test]
async fn a_server_and_its_authorization_reach_an_open_watch() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let namespace = pod(&cluster).await?;
    let Service { process, address } = policy(server.kubeconfig())?;
    let _process = process.start(DEADLINE).await?;
    let mut stream = watch(address, &namespace).await?;
    let default = becomes(&mut stream, "all-unauthenticated", "detect").await?;
    assert_eq!(default.authorizations.len(), 1);

    cluster.apply(&namespace, SERVER).await?;
    let denied = becomes(&mut stream, "web-http", "http1").await?;
    assert!(denied.authorizations.is_empty());

    cluster.apply(&namespace, AUTHORIZATION).await?;
    let allowed = becomes(&mut stream, "web-http", "http1").await?;
    let identity = format!("bot.{namespace}.serviceaccount.identity.linkerd.cluster.local");
    assert!(format!("{:?}", allowed.authorizations).contains(&identity), "{allowed:?}");

    cluster.apply(&namespace, &SERVER.replace("HTTP/1", "opaque")).await?;
    becomes(&mut stream, "web-http", "opaque").await?;
    cluster.delete(&namespace, SERVER).await?;
    becomes(&mut stream, "all-unauthenticated", "detect").await?;
    cluster.delete(&namespace, "{apiVersion: v1, kind: Pod, metadata: {name: web}}").await?;
    let end = tokio::time::timeout(DEADLINE, stream.message()).await??;
    assert!(end.is_none(), "the watch of a deleted pod goes on: {end:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_applied_after_the_api_server_restarted_is_caught_up_with() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    define(&cluster).await?;
    let namespace = pod(&cluster).await?;
    let Service { process, address } = policy(server.kubeconfig())?;
    let mut process = process.start(DEADLINE).await?;
    let mut stream = watch(address, &namespace).await?;
    becomes(&mut stream, "all-unauthenticated", "detect").await?;
    server.kill();
    process.ensure_running()?;
    server.restart().await?;
    eventually(DEADLINE, || async { cluster.apply(&namespace, SERVER).await.map(drop) }).await?;
    becomes(&mut stream, "web-http", "http1").await?;
    process.ensure_running()
}
