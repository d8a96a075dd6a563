//! Connections to ports of pods, through the Kubernetes API: no local port is opened, so nobody else can use
//! or race for one.

mod deployments;
mod pods;
mod stream;

pub use self::{
    deployments::Deployments,
    pods::{containers, has_proxy, is_running, named_port},
    stream::Forwarded,
};

use crate::cluster::failure;
use anyhow::{Context as _, anyhow};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _};
use std::{fmt, time::Duration};

/// Longest time until a connection is made.
const LIMIT: Duration = Duration::from_secs(10);

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPort {
    /// Namespace of the pod.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Number of the port.
    pub port: u16,
}

impl PodPort {
    /// A port of a pod that was read from a cluster.
    pub fn new(pod: &Pod, port: u16) -> Self {
        Self { namespace: pod.namespace().unwrap_or_default(), pod: pod.name_any(), port }
    }
}

impl fmt::Display for PodPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} of pod {}/{}", self.port, self.namespace, self.pod)
    }
}

/// Connects to a port. The connection closes when it is dropped.
///
/// Whether something listens there is only known once the connection is used.
///
/// # Errors
/// When the Kubernetes API refuses, cannot be reached, or does not answer in time.
pub async fn connect(client: &Client, target: &PodPort) -> anyhow::Result<Forwarded> {
    let PodPort { namespace, pod, port } = target;
    tracing::debug!(namespace, pod, port, "forwarding to a port");
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ports = [*port];
    let forwarder = tokio::time::timeout(LIMIT, pods.portforward(pod, &ports)).await;
    let late = |_| anyhow!("the Kubernetes API forwarded no port within {} s", LIMIT.as_secs());
    let forwarder = forwarder.map_err(late).and_then(|forwarder| forwarder.map_err(|error| anyhow!(failure(&error))));
    let forwarded = forwarder.and_then(|forwarder| Forwarded::new(forwarder, *port).context("no stream of the port"));
    forwarded.map_err(|error| anyhow!("{error:#} for {namespace}/{pod}"))
}
