//! Pods: where they run, what they listen on, and how their proxy is set up.

use crate::{
    meta::{Meta, null_is_default, resource},
    ports::PortName,
};
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    #[serde(deserialize_with = "null_is_default")]
    pub spec: PodSpec,
    /// What is.
    #[serde(deserialize_with = "null_is_default")]
    pub status: PodStatus,
}
resource!(Pod, "", "v1", "Pod", "pods");

impl Pod {
    /// Init containers, then containers: the order in which names are looked up.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.spec.init_containers.iter().chain(&self.spec.containers)
    }

    /// The proxy's container, whether it is a native sidecar or an ordinary container.
    pub fn proxy(&self) -> Option<&Container> {
        self.containers().find(|container| container.name == crate::names::PROXY_CONTAINER)
    }

    /// The pod's service account; `default` when none is given.
    pub fn service_account(&self) -> &str {
        if self.spec.service_account_name.is_empty() { "default" } else { &self.spec.service_account_name }
    }

    /// Addresses of the pod, the primary one first.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        addresses(&self.status.pod_ips, &self.status.pod_ip)
    }

    /// Addresses of the pod's node.
    pub fn host_ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        addresses(&self.status.host_ips, &self.status.host_ip)
    }

    /// Whether a condition says that the pod takes traffic.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    }

    /// Whether the pod has ended or is asked to end.
    pub fn is_ended(&self) -> bool {
        self.metadata.deletion_timestamp.is_some() || matches!(self.status.phase, Phase::Succeeded | Phase::Failed)
    }
}

fn addresses<'a>(list: &'a [AddressEntry], single: &'a str) -> impl Iterator<Item = IpAddr> + 'a {
    let single = if list.is_empty() { single.parse().ok() } else { None };
    list.iter().filter_map(|entry| entry.ip.parse().ok()).chain(single)
}

/// The part of a pod's specification that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Node that the pod was scheduled to.
    #[serde(deserialize_with = "null_is_default")]
    pub node_name: String,
    /// Service account, empty for `default`.
    #[serde(deserialize_with = "null_is_default")]
    pub service_account_name: String,
    /// Host name in the DNS domain of the Service that `subdomain` names.
    #[serde(deserialize_with = "null_is_default")]
    pub hostname: String,
    /// Headless Service that the host name belongs to.
    #[serde(deserialize_with = "null_is_default")]
    pub subdomain: String,
    /// Whether the pod shares its node's network.
    #[serde(deserialize_with = "null_is_default")]
    pub host_network: bool,
    /// Init containers, native sidecars included.
    #[serde(deserialize_with = "null_is_default")]
    pub init_containers: Vec<Container>,
    /// Containers.
    #[serde(deserialize_with = "null_is_default")]
    pub containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Declared ports.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<ContainerPort>,
    /// Literal variables that configure the proxy; others are dropped while decoding.
    #[serde(deserialize_with = "proxy_variables")]
    pub env: Vec<EnvVar>,
    /// Probe that restarts the container.
    pub liveness_probe: Option<Probe>,
    /// Probe that takes the pod out of Services.
    pub readiness_probe: Option<Probe>,
    /// Probe that holds back the others.
    pub startup_probe: Option<Probe>,
}

impl Container {
    /// A literal variable of the proxy's configuration.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|var| var.name == name).and_then(|var| var.value.as_deref())
    }

    /// The probes that the container has.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        [&self.liveness_probe, &self.readiness_probe, &self.startup_probe].into_iter().flatten()
    }
}

/// A declared port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// Name, empty when it has none.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Port number.
    pub container_port: u16,
    /// Port on the node, 0 when there is none.
    #[serde(deserialize_with = "null_is_default")]
    pub host_port: u16,
    /// Transport protocol; TCP when absent.
    #[serde(deserialize_with = "null_is_default")]
    pub protocol: Protocol,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Protocol {
    /// TCP, the default.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
    /// A protocol that Kubernetes may add.
    #[serde(other)]
    Other,
}

/// An environment variable with a literal value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Literal value; absent when it comes from elsewhere.
    pub value: Option<String>,
}

/// The part of a probe that policy needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// HTTP request of the probe, if it makes one.
    pub http_get: Option<HttpGet>,
}

/// The request of an HTTP probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HttpGet {
    /// Path with optional query; `/` when absent.
    pub path: Option<String>,
    /// Number or name of the port.
    pub port: PortName,
}

/// The part of a pod's status that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Phase of the pod's life.
    #[serde(deserialize_with = "null_is_default")]
    pub phase: Phase,
    /// Conditions.
    #[serde(deserialize_with = "null_is_default")]
    pub conditions: Vec<Condition>,
    /// Primary address.
    #[serde(rename = "podIP", deserialize_with = "null_is_default")]
    pub pod_ip: String,
    /// All addresses.
    #[serde(rename = "podIPs", deserialize_with = "null_is_default")]
    pub pod_ips: Vec<AddressEntry>,
    /// Primary address of the node.
    #[serde(rename = "hostIP", deserialize_with = "null_is_default")]
    pub host_ip: String,
    /// All addresses of the node.
    #[serde(rename = "hostIPs", deserialize_with = "null_is_default")]
    pub host_ips: Vec<AddressEntry>,
}

/// Phase of a pod's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum Phase {
    /// Not every container has started yet.
    #[default]
    Pending,
    /// At least one container runs.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
    /// The node does not answer, or a phase that Kubernetes may add.
    #[serde(other)]
    Unknown,
}

/// One condition of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
}

/// One address in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AddressEntry {
    /// The address.
    pub ip: String,
}

fn proxy_variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EnvVar>, D::Error> {
    let mut env: Vec<EnvVar> = null_is_default(deserializer)?;
    env.retain(|var| var.name.starts_with("LINKERD2_PROXY_"));
    env.shrink_to_fit();
    Ok(env)
}
