//! What slices are planned from, and what they hold: plain data.

use crate::core::{key::Key, workload::Labels};
use linkerd_k8s::pod::Protocol;
use std::{net::IpAddr, sync::Arc};

/// Kind of addresses. One slice has one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Whether an address is of this kind.
    pub fn has(self, ip: &IpAddr) -> bool {
        ip.is_ipv4() == (self == Self::V4)
    }
}

/// A Service that selects workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub key: Key,
    /// Identity through its life.
    pub uid: Arc<str>,
    /// Labels, which its slices get.
    pub labels: Labels,
    /// Labels that a workload must have; never empty.
    pub selector: Labels,
    /// Kinds of addresses that it wants, each once.
    pub families: Box<[Family]>,
    /// Ports.
    pub ports: Box<[ServicePort]>,
    /// Whether it has no cluster address on purpose.
    pub is_headless: bool,
    /// Whether its deletion was asked for.
    pub is_deleting: bool,
}

impl Service {
    /// Whether a workload of the same namespace is behind the Service.
    pub fn selects(&self, workload: &Workload) -> bool {
        self.selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
    }
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Name, empty when it has none.
    pub name: Arc<str>,
    /// Which port of a workload it is.
    pub target: Target,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// How a Service names a port of its workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By number.
    Number(u16),
    /// By name.
    Name(Arc<str>),
}

/// A workload outside of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Namespace and name.
    pub key: Key,
    /// Identity through its life.
    pub uid: Arc<str>,
    /// Labels.
    pub labels: Labels,
    /// Addresses, each once.
    pub ips: Box<[IpAddr]>,
    /// Ports.
    pub ports: Box<[Port]>,
    /// Whether it takes new connections.
    pub is_ready: bool,
    /// Zone, empty when it is not known.
    pub zone: Arc<str>,
}

/// A port with a number: of a workload, or of all endpoints of a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Name, empty when it has none.
    pub name: Arc<str>,
    /// Number.
    pub number: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// An endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Workload behind it.
    pub workload: Key,
    /// Identity of the workload.
    pub uid: Arc<str>,
    /// Addresses, all of the slice's kind.
    pub addresses: Box<[IpAddr]>,
    /// Hostname in the Service's DNS domain, empty when it has none.
    pub hostname: Arc<str>,
    /// Zone, empty when it is not known.
    pub zone: Arc<str>,
    /// Node, which a workload outside of the cluster does not have.
    pub node: Arc<str>,
    /// Whether it takes new connections.
    pub is_ready: bool,
    /// Whether it serves the connections that it has.
    pub is_serving: bool,
    /// Whether it is about to go.
    pub is_terminating: bool,
}

impl Endpoint {
    /// What makes an endpoint the same one, whatever else of it changes.
    pub fn identity(&self) -> (&Key, &[IpAddr], &str) {
        (&self.workload, &self.addresses, &self.hostname)
    }
}

/// What a slice holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Labels.
    pub labels: Labels,
    /// Ports in order, which every endpoint serves.
    pub ports: Box<[Port]>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// A slice of ours in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Namespace and name.
    pub key: Key,
    /// Identity through its life.
    pub uid: Arc<str>,
    /// Version of this state, which a write must name.
    pub version: Arc<str>,
    /// Counts changes of what it holds.
    pub generation: i64,
    /// Service that it is for.
    pub service: Arc<str>,
    /// UID of the Service that controls it, empty for none.
    pub owner: Arc<str>,
    /// Kind of its addresses; `None` for one that is never wanted.
    pub family: Option<Family>,
    /// Whether its deletion was asked for.
    pub is_deleting: bool,
    /// What it holds.
    pub content: Content,
}

impl Slice {
    /// Whether two states of a slice differ in nothing but their version.
    pub fn is_like(&self, other: &Self) -> bool {
        let fields = |slice: &Self| (slice.family, slice.is_deleting);
        let texts = [(&self.uid, &other.uid), (&self.service, &other.service), (&self.owner, &other.owner)];
        fields(self) == fields(other) && texts.iter().all(|(one, other)| one == other) && self.content == other.content
    }
}
