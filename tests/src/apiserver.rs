//! A real Kubernetes API on loopback: etcd and kube-apiserver, and nothing else.
//!
//! No controller runs: nobody makes EndpointSlices, default ServiceAccounts or the status of
//! pods. A test writes them itself, which is also how it decides when they change. Admission
//! webhooks are called by URL, since there is no pod network.

pub mod binaries;
mod credentials;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::Client;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::child::ChildProcess;
use crate::cluster::Cluster;
use crate::plain_http::{self, Response};
use crate::{port, teardown};
use binaries::Ports;
use credentials::Credentials;

/// Generous: two seconds are usual, but a build may be running beside the test.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running API server. Everything of it ends with the value, or else with the process.
pub struct ApiServer {
    // In the order in which they must go: programs before the folder they write to.
    apiserver: ChildProcess,
    _etcd: ChildProcess,
    ports: Ports,
    credentials: Credentials,
    kubeconfig: PathBuf,
    folder: TempDir,
}

impl ApiServer {
    /// Starts a server of the test's own, and returns when it is ready.
    pub async fn start() -> Result<Self> {
        let folder = teardown::folder("apiserver")?;
        let credentials = Credentials::write(folder.path())?;
        let ports = Ports { etcd: port::free()?, etcd_peer: port::free()?, api: port::free()? };
        // Both are looked up before either is started, so that one run names what is missing.
        let apiserver = binaries::apiserver(&credentials, ports)?;
        let etcd = binaries::etcd(&folder.path().join("etcd"), ports)?;
        let mut etcd = ChildProcess::spawn("etcd", etcd, &folder.path().join("etcd.log"))?;
        let etcd_address = (Ipv4Addr::LOCALHOST, ports.etcd).into();
        etcd.until_ready(START_DEADLINE, || healthy(etcd_address)).await?;
        let log = folder.path().join("kube-apiserver.log");
        let mut server = Self {
            apiserver: ChildProcess::spawn("kube-apiserver", apiserver, &log)?,
            _etcd: etcd,
            ports,
            kubeconfig: credentials.admin_kubeconfig(ports.api)?,
            credentials,
            folder,
        };
        server.ready().await?;
        Ok(server)
    }

    /// The server that all tests of this binary share; each makes namespaces of its own.
    ///
    /// It cannot be killed or restarted: a test that does that starts its own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ApiServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// The API with every right.
    ///
    /// Made anew for each caller: a client's connections belong to the runtime that made it, and
    /// every test has a runtime of its own.
    pub async fn cluster(&self) -> Result<Cluster> {
        Cluster::from_kubeconfig(&self.kubeconfig).await
    }

    /// A client with every right; see [`ApiServer::cluster`].
    pub async fn client(&self) -> Result<Client> {
        Ok(self.cluster().await?.client())
    }

    /// The kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubeconfig of whoever `token` belongs to, say a ServiceAccount with few rights.
    /// `user` names the file, so different users need different names.
    pub fn kubeconfig_for(&self, user: &str, token: &str) -> Result<PathBuf> {
        self.credentials.kubeconfig(user, token, self.ports.api)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.api).into()
    }

    /// The process of kube-apiserver.
    pub fn pid(&self) -> u32 {
        self.apiserver.pid()
    }

    /// A folder for the test's own files, removed with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends kube-apiserver as a crash would; etcd keeps its data.
    pub fn kill(&mut self) {
        self.apiserver.kill();
    }

    /// Starts kube-apiserver again at the same address, and returns when it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        let command = binaries::apiserver(&self.credentials, self.ports)?;
        let log = self.folder.path().join("kube-apiserver.log");
        self.apiserver = ChildProcess::spawn("kube-apiserver", command, &log)?;
        self.ready().await
    }

    /// Stops kube-apiserver where it is: connections stay open, and nothing answers.
    pub fn pause(&mut self) -> Result<()> {
        self.apiserver.signal(Signal::STOP)
    }

    /// Lets a paused kube-apiserver go on.
    pub fn resume(&mut self) -> Result<()> {
        self.apiserver.signal(Signal::CONT)
    }

    /// The log of kube-apiserver so far.
    pub fn log(&self) -> String {
        self.apiserver.log()
    }

    async fn ready(&mut self) -> Result<()> {
        let client = self.client().await?;
        let ready = || async {
            // The namespace is made in the background, some time after the server is ready.
            for path in ["/readyz", "/api/v1/namespaces/default"] {
                let request = http::Request::get(path).body(Vec::new())?;
                client.request_text(request).await.context(path)?;
            }
            Ok(())
        };
        self.apiserver.until_ready(START_DEADLINE, ready).await
    }
}

async fn healthy(etcd: SocketAddr) -> Result<()> {
    let Response { status, body } = plain_http::get(etcd, "/health").await?;
    ensure!(status == 200, "/health: {status} {}", body.trim());
    Ok(())
}
