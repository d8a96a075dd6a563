//! The control plane of a cluster, whose servers are reached through the Kubernetes API.
//!
//! A forwarded port ends at the loopback of the pod, past a proxy that may run beside the server: there, the
//! server speaks plain text. Where no proxy runs in the pod, the server itself speaks TLS with the
//! certificate of its service account, so its name is checked against the trust anchors of the mesh.

use super::{
    super::LIMIT,
    Api,
    tls::{self, Tls},
};
use crate::{
    cluster::ask,
    linkerd_config,
    port_forward::{self, Deployments, PodPort, has_proxy},
};
use anyhow::{Context as _, anyhow};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Client;
use linkerd_k8s::Identity;
use std::{fmt, io};
use tonic::transport::{Channel, Endpoint};

/// Deployments that may serve an API, the usual one first, and the port.
///
/// Existing installations serve policy beside destinations, in one pod.
fn servers(api: Api) -> (&'static [&'static str], u16) {
    match api {
        Api::Destination => (&["linkerd-destination"], 8086),
        Api::Policy => (&["linkerd-policy", "linkerd-destination"], 8090),
    }
}

/// A server of the control plane of a cluster.
pub struct ControlPlane {
    client: Client,
    target: PodPort,
    /// How its name is checked; `None` for plain text.
    tls: Option<Tls>,
}

impl fmt::Display for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls {
            Some(tls) => write!(f, "{} with TLS as {}", self.target, tls.name()),
            None => write!(f, "{} in plain text, past its proxy", self.target),
        }
    }
}

impl ControlPlane {
    /// Finds a pod that serves an API, and how to speak with it.
    ///
    /// # Errors
    /// When none runs, or the cluster does not tell whom to trust.
    pub async fn find(client: Client, namespace: &str, api: Api, pod: Option<&str>) -> anyhow::Result<Self> {
        let (deployments, port) = servers(api);
        let pod = match pod {
            Some(pod) => ask(kube::Api::<Pod>::namespaced(client.clone(), namespace).get(pod)).await?,
            None => serving(&Deployments::read(&client, namespace).await?, deployments)?.clone(),
        };
        let target = PodPort { namespace: namespace.to_owned(), ..PodPort::new(&pod, port) };
        let tls = match has_proxy(&pod) {
            true => None,
            false => Some(tls(&client, namespace, &pod).await?),
        };
        Ok(Self { client, target, tls })
    }

    /// Connects to it.
    ///
    /// # Errors
    /// When it cannot be reached, or is not who it should be.
    pub async fn connect(&self) -> anyhow::Result<Channel> {
        let connector = {
            let (client, target, tls) = (self.client.clone(), self.target.clone(), self.tls.clone());
            tower::service_fn(move |_: http::Uri| {
                let (client, target, tls) = (client.clone(), target.clone(), tls.clone());
                async move {
                    let stream = port_forward::connect(&client, &target).await;
                    let stream = stream.map_err(|error| io::Error::other(format!("{error:#}")))?;
                    tls::secured(stream, tls).await.map(TokioIo::new)
                }
            })
        };
        let endpoint = Endpoint::from_static("http://control-plane");
        let channel = tokio::time::timeout(LIMIT * 2, endpoint.connect_with_connector(connector)).await;
        let channel = channel.map_err(|_| anyhow!("no answer within {} s", (LIMIT * 2).as_secs()));
        let channel = channel.and_then(|channel| channel.map_err(|error| anyhow!(super::root(&error))));
        channel.with_context(|| format!("cannot connect to {}", self.target)).map_err(|error| anyhow!("{error:#}"))
    }

    /// Whether there is a Service. One who may not look is told yes: the answer says what there is.
    pub async fn has_service(&self, namespace: &str, name: &str) -> bool {
        let services: kube::Api<Service> = kube::Api::namespaced(self.client.clone(), namespace);
        !matches!(ask(services.get_metadata_opt(name)).await, Ok(None))
    }
}

/// The pod to ask: of the first of the Deployments that is there.
fn serving<'d>(all: &'d Deployments, deployments: &[&str]) -> anyhow::Result<&'d Pod> {
    let first = deployments.iter().find(|deployment| all.exists(deployment));
    all.running(first.or(deployments.first()).copied().unwrap_or_default())
}

/// Whom to trust: the service account of the pod, certified by the mesh.
async fn tls(client: &Client, namespace: &str, pod: &Pod) -> anyhow::Result<Tls> {
    let (values, anchors) =
        tokio::try_join!(linkerd_config::values(client, namespace), linkerd_config::trust_anchors(client, namespace))?;
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let identity = Identity::service_account(account, namespace, namespace, values.trust_domain());
    Tls::new(&anchors, identity.as_str())
}
