//! Endpoints through `linkerd-destination`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use linkerd_proto::destination::{GetDestination, Update, destination_client::DestinationClient, update};
use linkerd_proto::net::{TcpAddress, ip_address::Ip};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use serde_json::json;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::setup::{DEADLINE, DOMAIN, Service, channel, cluster, define};

pub fn destination(kubeconfig: &Path) -> Result<Service> {
    let service = Service::new("linkerd-destination", ["-addr", "-metrics-addr"], kubeconfig)?;
    Ok(service.args(&[&format!("-cluster-domain={DOMAIN}"), &format!("-identity-trust-domain={DOMAIN}")]))
}

/// The addresses that a proxy would use, from the updates of a stream.
pub struct Endpoints {
    stream: Streaming<Update>,
    addresses: BTreeSet<SocketAddr>,
    /// TLS server names of all endpoints that were ever added.
    pub identities: BTreeSet<String>,
}

impl Endpoints {
    pub async fn get(channel: Channel, path: &str) -> Result<Self> {
        let request = GetDestination { path: path.to_owned(), ..GetDestination::default() };
        let stream = DestinationClient::new(channel).get(request).await?.into_inner();
        Ok(Self { stream, addresses: BTreeSet::new(), identities: BTreeSet::new() })
    }

    /// Reads updates until the addresses are these.
    pub async fn become_(&mut self, expected: &[SocketAddr]) -> Result<()> {
        let expected: BTreeSet<_> = expected.iter().copied().collect();
        let mut heard = 0;
        while heard == 0 || self.addresses != expected {
            let next = tokio::time::timeout(DEADLINE, self.stream.message()).await;
            let update = next.with_context(|| format!("{:?} never became {expected:?}", self.addresses))??;
            self.apply(update.context("the stream ended")?)?;
            heard += 1;
        }
        Ok(())
    }

    fn apply(&mut self, update: Update) -> Result<()> {
        match update.update.context("an update without content")? {
            update::Update::Add(set) => {
                for endpoint in set.addrs {
                    self.addresses.insert(socket_address(endpoint.addr.as_ref())?);
                    let server_name = endpoint.tls_identity.and_then(|identity| identity.server_name);
                    self.identities.extend(server_name.map(|name| name.name));
                }
            }
            update::Update::Remove(set) => {
                for address in &set.addrs {
                    self.addresses.remove(&socket_address(Some(address))?);
                }
            }
            update::Update::NoEndpoints(_) => self.addresses.clear(),
        }
        Ok(())
    }
}

fn socket_address(address: Option<&TcpAddress>) -> Result<SocketAddr> {
    let address = address.context("no address")?;
    let ip = match address.ip.context("no IP")?.ip.context("no IP")? {
        Ip::Ipv4(ip) => IpAddr::V4(Ipv4Addr::from(ip)),
        Ip::Ipv6(ip) => IpAddr::V6(ip.into()),
    };
    Ok(SocketAddr::new(ip, u16::try_from(address.port)?))
}

/// Address of the pod of a number.
pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 1, 2, host], 8080))
}

/// The Service of the pods.
pub const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web-svc}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
";

/// A meshed, running pod.
pub async fn pod(cluster: &Cluster, namespace: &str, host: u8) -> Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{host}"), "labels": {"app": "web", "linkerd.io/control-plane-ns": "linkerd"}},
        "spec": {"serviceAccountName": "default", "containers": [
            {"name": "web", "image": "web", "ports": [{"containerPort": 8080}]},
            {"name": "linkerd-proxy", "image": "proxy", "env": [
                {"name": "LINKERD2_PROXY_INBOUND_LISTEN_ADDR", "value": "0.0.0.0:4143"},
                {"name": "LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "value": "0.0.0.0:4191"},
                {"name": "LINKERD2_PROXY_CONTROL_LISTEN_ADDR", "value": "0.0.0.0:4190"},
            ]},
        ]},
        "status": {"phase": "Running", "podIP": address(host).ip(), "podIPs": [{"ip": address(host).ip()}]},
    });
    cluster.apply(namespace, &pod.to_string()).await?;
    Ok(())
}

/// The slice that the endpoint-slice controller would write for these pods.
pub async fn slice(cluster: &Cluster, namespace: &str, hosts: &[u8]) -> Result<()> {
    let endpoint = |host: &u8| {
        json!({"addresses": [address(*host).ip()], "conditions": {"ready": true},
               "targetRef": {"kind": "Pod", "namespace": namespace, "name": format!("web-{host}")}})
    };
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-svc-1", "labels": {"kubernetes.io/service-name": "web-svc"}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": hosts.iter().map(endpoint).collect::<Vec<_>>(),
    });
    cluster.apply(namespace, &slice.to_string()).await?;
    Ok(())
}

/// The Service and its pods, in a namespace of their own; the namespace and the path of the Service.
pub async fn web(cluster: &Cluster) -> Result<(String, String)> {
    let namespace = cluster.unique_namespace("endpoints").await?;
    cluster.service_account(&namespace, "default").await?;
    cluster.apply(&namespace, SERVICE).await?;
    for host in 1..=3 {
        pod(cluster, &namespace, host).await?;
    }
    let path = format!("web-svc.{namespace}.svc.{DOMAIN}:80");
    Ok((namespace, path))
}

#[tokio::test]
async fn endpoints_that_come_change_and_go_reach_an_open_stream() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let (namespace, path) = web(&cluster).await?;
    let Service { process, address: listening } = destination(server.kubeconfig())?;
    let _process = process.start(DEADLINE).await?;
    let mut endpoints = Endpoints::get(channel(listening)?, &path).await?;
    endpoints.become_(&[]).await?;

    slice(&cluster, &namespace, &[1, 2]).await?;
    endpoints.become_(&[address(1), address(2)]).await?;
    let identity = format!("default.{namespace}.serviceaccount.identity.linkerd.{DOMAIN}");
    assert_eq!(endpoints.identities, BTreeSet::from([identity]));

    slice(&cluster, &namespace, &[2, 3]).await?;
    endpoints.become_(&[address(2), address(3)]).await?;
    cluster.delete(&namespace, "{apiVersion: v1, kind: Pod, metadata: {name: web-2}}").await?;
    endpoints.become_(&[address(3)]).await?;
    slice(&cluster, &namespace, &[]).await?;
    endpoints.become_(&[]).await
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_not_found() -> Result<()> {
    let (server, _) = cluster().await?;
    let Service { process, address: listening } = destination(server.kubeconfig())?;
    let _process = process.start(DEADLINE).await?;
    let error = Endpoints::get(channel(listening)?, "nothing.nowhere.svc.cluster.local:80").await.err();
    let error = format!("{:?}", error.context("it was found")?);
    ensure!(error.contains("Service nothing.nowhere not found"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_change_made_while_the_api_server_restarts_is_caught_up_with() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    define(&cluster).await?;
    let (namespace, path) = web(&cluster).await?;
    slice(&cluster, &namespace, &[1, 2]).await?;
    let Service { process, address: listening } = destination(server.kubeconfig())?;
    let mut process = process.start(DEADLINE).await?;
    let mut endpoints = Endpoints::get(channel(listening)?, &path).await?;
    endpoints.become_(&[address(1), address(2)]).await?;

    server.kill();
    // While its source is away, the process goes on serving what it knows.
    let mut second = Endpoints::get(channel(listening)?, &path).await?;
    second.become_(&[address(1), address(2)]).await?;
    process.ensure_running()?;
    server.restart().await?;
    eventually(DEADLINE, || slice(&cluster, &namespace, &[2, 3])).await?;
    endpoints.become_(&[address(2), address(3)]).await?;
    second.become_(&[address(2), address(3)]).await?;
    process.ensure_running()
}
