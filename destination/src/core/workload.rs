//! What is known of the workloads behind addresses.

use linkerd_k8s::PortSet;
use std::{net::IpAddr, sync::Arc};

/// Labels of an object, in the order of their keys. Keys and values are shared among objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Box<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        let position = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&self.0[position].1)
    }

    /// All labels, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl FromIterator<(Arc<str>, Arc<str>)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<str>)>>(labels: I) -> Self {
        let mut labels: Box<[_]> = labels.into_iter().collect();
        labels.sort_unstable();
        Self(labels)
    }
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Identity through its life; empty in manifests.
    pub uid: Arc<str>,
    /// Node that it runs on, empty before it was scheduled.
    pub node: Arc<str>,
    /// Addresses of its own, the primary one first.
    pub ips: Box<[IpAddr]>,
    /// Addresses of its node; empty unless something can reach the pod through them.
    pub host_ips: Box<[IpAddr]>,
    /// Where it is in its life.
    pub stage: Stage,
    /// Labels, which are often the same for pods of one template.
    pub labels: Arc<Labels>,
    /// What it has in common with its like.
    pub template: Arc<Template>,
}

impl Pod {
    /// Whether traffic to this port of its node reaches the pod.
    pub fn serves_host_port(&self, port: u16) -> bool {
        self.template.ports.iter().any(|declared| declared.host_port == port)
    }
}

/// Stage of a pod's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not started yet, or nobody knows.
    Waiting,
    /// It runs.
    Running,
    /// It runs and is asked to end: its address is its own until it does, unless another has it already.
    Ending,
    /// It has ended, or will without having run: its address may be another's.
    Ended,
}

/// What the pods of one template have in common. It is shared, since there are thousands of pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// Service account.
    pub service_account: Arc<str>,
    /// Namespace of the control plane that the pod is meshed with, empty for none.
    pub mesh: Arc<str>,
    /// Hash of the template, empty for none.
    pub template_hash: Arc<str>,
    /// The only owner, if there is exactly one.
    pub owner: Option<Owner>,
    /// Whether it shares its node's network.
    pub host_network: bool,
    /// Declared ports, init containers first.
    pub ports: Box<[ContainerPort]>,
    /// Opaque ports; absent when the pod does not say.
    pub opaque: Option<PortSet>,
    /// Ports that bypass the proxy.
    pub skipped: PortSet,
    /// Ports of the proxy itself.
    pub proxy: ProxyPorts,
}

/// An owner by reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Kind as written.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// UID; empty in manifests.
    pub uid: Arc<str>,
}

/// A declared port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerPort {
    /// Name, empty when it has none.
    pub name: Arc<str>,
    /// Number in the pod.
    pub port: u16,
    /// Number on the node, 0 for none.
    pub host_port: u16,
}

/// Ports of a proxy, as far as its container says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProxyPorts {
    /// Where redirected and transported connections arrive.
    pub inbound: Option<u16>,
    /// Admin port.
    pub admin: Option<u16>,
    /// Tap port.
    pub control: Option<u16>,
}

/// A workload outside of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Identity through its life; empty in manifests.
    pub uid: Arc<str>,
    /// Addresses.
    pub ips: Box<[IpAddr]>,
    /// Labels.
    pub labels: Labels,
    /// The only owner, if there is exactly one.
    pub owner: Option<Owner>,
    /// Ports.
    pub ports: Box<[ExternalPort]>,
    /// Opaque ports; absent when the workload does not say.
    pub opaque: Option<PortSet>,
    /// SPIFFE ID or DNS-like identity, as a URI.
    pub identity: Arc<str>,
    /// TLS server name.
    pub server_name: Arc<str>,
}

/// A port of a workload outside of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalPort {
    /// Name, empty when it has none.
    pub name: Arc<str>,
    /// Number.
    pub port: u16,
}

/// Whether two UIDs can be those of one object: hand-written objects have none.
pub fn same_uid(one: &str, other: &str) -> bool {
    one == other || one.is_empty() || other.is_empty()
}
