//! Which control plane is asked, and connecting to it.

mod control_plane;
mod tls;

use self::control_plane::ControlPlane;
use super::{LIMIT, status::rpc_error};
use crate::{
    cluster,
    global::{Global, given},
    sandbox::runtime::Running,
};
use anyhow::{Chain, anyhow, bail};
use std::{fmt, net::SocketAddr};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// An API that proxies use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Where requests go.
    Destination,
    /// Inbound and outbound policy.
    Policy,
}

/// Where the API is.
pub enum Target {
    /// What the user named.
    Named(String),
    /// A running sandbox.
    Sandbox(Box<Running>),
    /// A control plane in a cluster.
    Cluster(Box<ControlPlane>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(address) => write!(f, "the API at {address}"),
            Self::Sandbox(running) => write!(f, "the sandbox in process {}", running.pid),
            Self::Cluster(control_plane) => write!(f, "{control_plane}"),
        }
    }
}

/// Connects to the API of `--api-addr`, else of the cluster that options name, else of a running sandbox,
/// else of the cluster of the kubeconfig.
///
/// `pod` is the pod of the cluster to ask, instead of one of the Deployment that serves the API.
///
/// # Errors
/// When there is nothing to ask, or no pod of the control plane runs.
pub async fn find(
    global: &Global,
    api: Api,
    pod: Option<&str>,
    running: impl FnOnce() -> Option<Running>,
) -> anyhow::Result<Target> {
    let target = look(global, api, pod, running).await?;
    tracing::debug!("asking {target:?}");
    Ok(target)
}

async fn look(
    global: &Global,
    api: Api,
    pod: Option<&str>,
    running: impl FnOnce() -> Option<Running>,
) -> anyhow::Result<Target> {
    if let Some(address) = given(&global.api_addr) {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        return match port {
            Some(_) => Ok(Target::Named(address.to_owned())),
            None => bail!("invalid --api-addr \"{address}\"; use HOST:PORT"),
        };
    }
    let is_cluster_named = global.cluster().is_named() || pod.is_some();
    if !is_cluster_named && let Some(running) = running() {
        return Ok(Target::Sandbox(Box::new(running)));
    }
    let client = match is_cluster_named {
        true => cluster::connect(global).await?,
        false => cluster::find(global).await?.ok_or_else(|| anyhow!(NOTHING))?,
    };
    let control_plane = ControlPlane::find(client, global.namespace(), api, pod).await?;
    Ok(Target::Cluster(Box::new(control_plane)))
}

const NOTHING: &str = "there is no control plane to ask: start a sandbox with 'linkerd sandbox PATH', name a cluster \
                       with --kubeconfig FILE, or name an API with --api-addr HOST:PORT";

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// When nothing answers there, in the form of a gRPC error.
    pub async fn connect(&self, api: Api) -> Result<Channel, String> {
        match self {
            Self::Named(address) => open(address).await,
            Self::Sandbox(running) => open(&address(running, api).to_string()).await,
            Self::Cluster(control_plane) => control_plane.connect().await.map_err(unavailable),
        }
    }
}

fn address(running: &Running, api: Api) -> SocketAddr {
    match api {
        Api::Destination => running.destination,
        Api::Policy => running.policy,
    }
}

async fn open(address: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| unavailable(root(&error)))?;
    let endpoint = endpoint.connect_timeout(LIMIT);
    endpoint.connect().await.map_err(|error| unavailable(format!("cannot connect to {address}: {}", root(&error))))
}

fn unavailable(reason: impl fmt::Display) -> String {
    rpc_error(&Status::unavailable(reason.to_string()))
}

/// The innermost cause, which is the one that tells something.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    Chain::new(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests;
