//! Endpoints of other clusters through `linkerd-destination`, with two API servers.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use k8s_openapi::ByteString;
use linkerd_proto::destination::{GetDestination, destination_client::DestinationClient};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use linkerd_tests::process::Process;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::endpoints::{Endpoints, SERVICE, address, destination, pod, slice};
use crate::setup::{DEADLINE, DOMAIN, Service, channel};

/// Namespace of the Services, in both clusters.
const NAMESPACE: &str = "emojivoto";

/// A Service that stands for the one of cluster `east`, and one that stands for both.
const STAND_INS: [&str; 2] = [
    "
apiVersion: v1
kind: Service
metadata:
  name: web-svc-east
  labels: {multicluster.linkerd.io/remote-discovery: east, multicluster.linkerd.io/remote-service: web-svc}
spec: {ports: [{name: http, port: 80}]}
",
    "
apiVersion: v1
kind: Service
metadata:
  name: web-svc-federated
  annotations:
    multicluster.linkerd.io/local-discovery: web-svc
    multicluster.linkerd.io/remote-discovery: web-svc@east,web-svc@nowhere,nonsense
spec: {ports: [{name: http, port: 80}]}
",
];

/// Two clusters, each with the Service and one of its pods in a slice: number 1 here, number 11 in `east`.
struct Clusters {
    here: ApiServer,
    local: Cluster,
    east: ApiServer,
    remote: Cluster,
}

impl Clusters {
    async fn start() -> Result<Self> {
        let (here, east) = tokio::try_join!(ApiServer::start(), ApiServer::start())?;
        let (local, remote) = (here.cluster().await?, east.cluster().await?);
        local.namespace("linkerd").await?;
        for (cluster, first) in [(&local, 1), (&remote, 11)] {
            cluster.namespace(NAMESPACE).await?;
            cluster.apply(NAMESPACE, SERVICE).await?;
            for host in first..first + 2 {
                pod(cluster, NAMESPACE, host).await?;
            }
            slice(cluster, NAMESPACE, &[first]).await?;
        }
        for service in STAND_INS {
            local.apply(NAMESPACE, service).await?;
        }
        Ok(Self { here, local, east, remote })
    }

    /// Starts the process in the first cluster.
    async fn destination(&self) -> Result<(Process, SocketAddr)> {
        let Service { process, address } = destination(self.here.kubeconfig())?;
        Ok((process.start(DEADLINE).await?, address))
    }

    /// Names the second cluster to the first, as `linkerd multicluster link` does.
    async fn link(&self, token: Option<&str>) -> Result<()> {
        let mut kubeconfig: Value = serde_json::from_slice(&std::fs::read(self.east.kubeconfig())?)?;
        let cluster = &mut kubeconfig["clusters"][0]["cluster"];
        let authority = PathBuf::from(cluster["certificate-authority"].take().as_str().context("no authority")?);
        let authority = ByteString(std::fs::read(authority)?);
        *cluster = json!({"server": cluster["server"], "certificate-authority-data": authority});
        if let Some(token) = token {
            kubeconfig["users"][0]["user"]["token"] = json!(token);
        }
        self.secret("cluster-credentials-east", "east", &kubeconfig).await
    }

    async fn secret(&self, name: &str, cluster: &str, kubeconfig: &Value) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "mirror.linkerd.io/remote-kubeconfig",
            "metadata": {
                "name": name,
                "labels": {"multicluster.linkerd.io/cluster-name": cluster},
                "annotations": {
                    "multicluster.linkerd.io/trust-domain": "east.trust",
                    "multicluster.linkerd.io/cluster-domain": "east.local",
                },
            },
            "data": {"kubeconfig": ByteString(kubeconfig.to_string().into_bytes())},
        });
        self.local.apply("linkerd", &secret.to_string()).await.map(drop)
    }

    async fn unlink(&self) -> Result<()> {
        let secret = "{apiVersion: v1, kind: Secret, metadata: {name: cluster-credentials-east}}";
        self.local.delete("linkerd", secret).await
    }
}

fn path(service: &str) -> String {
    format!("{service}.{NAMESPACE}.svc.{DOMAIN}:80")
}

/// A stream of the endpoints of a Service.
async fn get(listening: SocketAddr, service: &str) -> Result<Endpoints> {
    Endpoints::get(channel(listening)?, &path(service)).await
}

/// Why there is no stream of the endpoints of a Service.
async fn refusal(listening: SocketAddr, service: &str) -> Result<Status> {
    let request = GetDestination { path: path(service), ..GetDestination::default() };
    let answer = DestinationClient::new(channel(listening)?).get(request).await;
    answer.err().with_context(|| format!("{service} was answered"))
}

async fn metric(process: &Process, line: &str) -> Result<()> {
    let metrics = process.admin_get("/metrics").await?.body;
    ensure!(metrics.lines().any(|known| known == line), "no {line} in {metrics}");
    Ok(())
}

// Cases 46 to 48 and 87.
#[tokio::test]
async fn a_remote_cluster_is_served_while_it_is_away_and_followed_when_it_is_back() -> Result<()> {
    let mut clusters = Clusters::start().await?;
    let (mut process, listening) = clusters.destination().await?;
    let refused = refusal(listening, "web-svc-east").await?;
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "Remote cluster not found: east"));
    let mut federated = get(listening, "web-svc-federated").await?;
    federated.become_(&[address(1)]).await?;

    clusters.link(None).await?;
    federated.become_(&[address(1), address(11)]).await?;
    let mut mirror = get(listening, "web-svc-east").await?;
    mirror.become_(&[address(11)]).await?;
    let identity = format!("default.{NAMESPACE}.serviceaccount.identity.linkerd.east.trust");
    assert!(mirror.identities.contains(&identity), "{:?}", mirror.identities);
    metric(&process, "cluster_store_size 1").await?;
    metric(&process, "pod_cache_size{cluster=\"east\"} 2").await?;

    clusters.east.kill();
    // What is local goes on, and what is remote stays as it was, also for those who come now.
    slice(&clusters.local, NAMESPACE, &[2]).await?;
    federated.become_(&[address(2), address(11)]).await?;
    get(listening, "web-svc").await?.become_(&[address(2)]).await?;
    get(listening, "web-svc-east").await?.become_(&[address(11)]).await?;
    get(listening, "web-svc-federated").await?.become_(&[address(2), address(11)]).await?;
    process.ensure_running()?;

    clusters.east.restart().await?;
    eventually(DEADLINE, || slice(&clusters.remote, NAMESPACE, &[12])).await?;
    mirror.become_(&[address(12)]).await?;
    federated.become_(&[address(2), address(12)]).await?;

    clusters.unlink().await?;
    mirror.become_(&[]).await?;
    federated.become_(&[address(2)]).await?;
    eventually(DEADLINE, || metric(&process, "cluster_store_size 0")).await?;
    assert_eq!(refusal(listening, "web-svc-east").await?.code(), Code::NotFound);
    process.ensure_running()
}

// Case 47.
#[tokio::test]
async fn a_cluster_that_cannot_be_used_holds_up_nothing_until_it_can() -> Result<()> {
    let mut clusters = Clusters::start().await?;
    clusters.link(None).await?;
    let program = json!({"users": [{"name": "x", "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh"}}}]});
    clusters.secret("hostile", "hostile", &program).await?;
    clusters.secret("unreadable", "unreadable", &json!("{{{")).await?;
    clusters.east.kill();
    // Ready, though none of the clusters can be used.
    let (mut process, listening) = clusters.destination().await?;
    get(listening, "web-svc").await?.become_(&[address(1)]).await?;
    let mut federated = get(listening, "web-svc-federated").await?;
    federated.become_(&[address(1)]).await?;
    // A proxy that has endpoints from before keeps them when it is told so.
    assert_eq!(refusal(listening, "web-svc-east").await?.code(), Code::Unavailable);

    clusters.east.restart().await?;
    federated.become_(&[address(1), address(11)]).await?;
    get(listening, "web-svc-east").await?.become_(&[address(11)]).await?;

    // Credentials that are wrong take nothing away, and right ones are taken up.
    clusters.link(Some("wrong")).await?;
    eventually(DEADLINE, || async {
        let log = process.log();
        ensure!(log.contains("Unauthorized"), "the wrong token was not used");
        Ok(())
    })
    .await?;
    get(listening, "web-svc-east").await?.become_(&[address(11)]).await?;
    clusters.link(None).await?;
    slice(&clusters.remote, NAMESPACE, &[12]).await?;
    federated.become_(&[address(1), address(12)]).await?;
    let log = process.log();
    assert!(log.contains("which would run or read something in this pod"), "{log}");
    process.ensure_running()
}
