//! What is known of Services and of the slices of their endpoints.

use super::{
    filter::Hints,
    key::{Key, WorkloadKey},
    member::Member,
    port::{ServicePort, SlicePort},
};
use linkerd_k8s::PortSet;
use std::{net::IpAddr, sync::Arc};

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Ports, in the order in which they are written.
    pub ports: Box<[ServicePort]>,
    /// Cluster addresses.
    pub cluster_ips: Box<[IpAddr]>,
    /// Whether it is an alias of a name outside of the cluster.
    pub is_external_name: bool,
    /// `internalTrafficPolicy: Local`.
    pub same_node_only: bool,
    /// Opaque ports; absent when the Service does not say.
    pub opaque: Option<PortSet>,
    /// Where its endpoints are found.
    pub discovery: Discovery,
}

impl Service {
    /// Whether the Service lists a port.
    pub fn has_port(&self, port: u16) -> bool {
        self.ports.iter().any(|known| known.number == port)
    }
}

/// Where the endpoints of a Service are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// In the Service's own slices.
    Local,
    /// Behind a Service of another cluster.
    Remote {
        /// Name of the cluster.
        cluster: Arc<str>,
        /// Name of the Service there, in the same namespace; it must be given.
        service: Option<Arc<str>>,
    },
    /// Behind several Services, here and elsewhere.
    Federated {
        /// The Services, in order, each once.
        members: Box<[Member]>,
    },
}

impl Discovery {
    /// The Services that the Service stands for, unless its endpoints are its own.
    pub fn members(&self) -> Option<Box<[Member]>> {
        match self {
            Self::Local | Self::Remote { service: None, .. } => None,
            Self::Remote { cluster, service: Some(service) } => {
                Some([Member { cluster: Some(cluster.clone()), service: service.clone() }].into())
            }
            Self::Federated { members } => Some(members.clone()),
        }
    }
}

/// A slice of the endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Name of the Service, in the slice's namespace.
    pub service: Arc<str>,
    /// Ports.
    pub ports: Box<[SlicePort]>,
    /// Addresses.
    pub addresses: Box<[SliceAddress]>,
    /// Another cluster that the endpoints stand for.
    pub mirror: Option<Box<Mirror>>,
}

impl Slice {
    /// The objects behind its endpoints, in order, each once.
    pub fn workloads(&self) -> Vec<WorkloadKey> {
        let mut keys: Vec<_> = self.addresses.iter().filter_map(|address| address.target.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// An address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceAddress {
    /// The address.
    pub ip: IpAddr,
    /// Whether it takes new connections.
    pub is_ready: bool,
    /// Hostname in the Service's domain, empty for none.
    pub hostname: Arc<str>,
    /// Zone, empty when unknown.
    pub zone: Arc<str>,
    /// Which clients should use it.
    pub hints: Option<Arc<Hints>>,
    /// Object behind it.
    pub target: Target,
}

/// Object behind an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// None.
    Bare,
    /// A pod with its UID, which is empty in hand-written slices.
    Pod(Key, Arc<str>),
    /// An external workload with its UID, which is empty in hand-written slices.
    External(Key, Arc<str>),
}

impl Target {
    /// The object, if there is one.
    pub fn key(&self) -> Option<WorkloadKey> {
        match self {
            Self::Bare => None,
            Self::Pod(key, _) => Some(WorkloadKey::Pod(key.clone())),
            Self::External(key, _) => Some(WorkloadKey::External(key.clone())),
        }
    }
}

/// What a mirrored slice says of the cluster that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// Name of the cluster, empty when the slice does not say.
    pub cluster: Arc<str>,
    /// Identity of its gateway, empty for none.
    pub gateway_identity: Arc<str>,
    /// Fully qualified name of the Service there, empty for none.
    pub service: Arc<str>,
}

/// Metric labels of a set of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetLabels {
    /// The Service.
    pub service: Key,
    /// Cluster that the endpoints stand for, empty for none.
    pub target_cluster: Arc<str>,
    /// Fully qualified name of the Service there, empty for none.
    pub target: Arc<str>,
}

impl SetLabels {
    /// Labels of a Service's own endpoints.
    pub fn of(service: Key) -> Self {
        Self { service, target_cluster: "".into(), target: "".into() }
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mut parts = self.target.split('.');
        let target = parts.next().zip(parts.next()).filter(|_| !self.target_cluster.is_empty());
        let cluster = Some(&*self.target_cluster).filter(|cluster| !cluster.is_empty());
        [
            Some(("namespace", &*self.service.namespace)),
            Some(("service", &*self.service.name)),
            cluster.map(|cluster| ("target_cluster", cluster)),
            target.map(|(service, _)| ("target_service", service)),
            target.map(|(_, namespace)| ("target_service_namespace", namespace)),
        ]
        .into_iter()
        .flatten()
    }
}
