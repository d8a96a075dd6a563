//! What the suites start: our processes against an API server, with the custom resources installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::ProcessBuilder;
use linkerd_tests::{helm, port};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tonic::transport::Channel;

/// Longest time for anything that should take milliseconds, on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Trust domain and cluster domain of the processes.
pub const DOMAIN: &str = "cluster.local";

/// The API server that all suites share, with the custom resource definitions of the chart.
pub async fn cluster() -> Result<(&'static ApiServer, Cluster)> {
    static DEFINED: OnceCell<()> = OnceCell::const_new();
    let server = ApiServer::shared().await?;
    let cluster = server.cluster().await?;
    DEFINED.get_or_try_init(|| define(&cluster)).await?;
    Ok((server, cluster))
}

/// Installs the custom resource definitions of the chart.
pub async fn define(cluster: &Cluster) -> Result<()> {
    cluster.install_crds(&helm::template("linkerd-crds", &[])?).await
}

/// A free address on loopback.
pub fn free() -> Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?)))
}

/// One of our processes, to be started against an API server.
pub struct Service {
    /// Where it serves.
    pub address: SocketAddr,
    /// How it is started; more arguments may be added.
    pub process: ProcessBuilder,
}

impl Service {
    /// Prepares a process. `flags` name its own address and that of its admin server.
    pub fn new(binary: &str, flags: [&str; 2], kubeconfig: &Path) -> Result<Self> {
        let (address, admin) = (free()?, free()?);
        let process = ProcessBuilder::new(binary, admin)
            .arg(format!("{}={address}", flags[0]))
            .arg(format!("{}={admin}", flags[1]))
            .arg(format!("--kubeconfig={}", kubeconfig.display()));
        Ok(Self { address, process })
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.process = self.process.args(arguments);
        self
    }
}

/// A gRPC connection, made when it is first used and again when it breaks.
pub fn channel(address: SocketAddr) -> Result<Channel> {
    Ok(Channel::from_shared(format!("http://{address}"))?.connect_lazy())
}

/// A webhook's certificate for loopback, in a folder laid out like a mounted Secret.
pub struct ServingCertificate {
    folder: TempDir,
    certificate: String,
}

impl ServingCertificate {
    /// Makes one that signs itself.
    pub fn make() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let certificate = made.cert.pem();
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("tls.crt"), &certificate)?;
        std::fs::write(folder.path().join("tls.key"), made.signing_key.serialize_pem())?;
        Ok(Self { folder, certificate })
    }

    /// The folder with `tls.crt` and `tls.key`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A webhook configuration that has objects of one namespace sent to `address`.
    pub fn configuration(&self, kind: &str, namespace: &str, address: SocketAddr, rule: Value) -> String {
        let ca = k8s_openapi::ByteString(self.certificate.clone().into_bytes());
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": { "name": namespace },
            "webhooks": [{
                "name": "main-job.tests.linkerd.io",
                "clientConfig": { "url": format!("https://{address}/"), "caBundle": ca },
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
                "failurePolicy": "Fail",
                "rules": [rule],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }],
        })
        .to_string()
    }
}
