//! Why a request gets no stream.

use crate::core::key::Key;
use std::{net::IpAddr, sync::Arc};

/// Why a request for endpoints is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointsRefusal {
    /// The initial lists are not complete.
    #[error("the initial state of the cluster is not complete yet")]
    NotReady,
    /// There is no such Service.
    #[error("Service {name}.{namespace} not found", name = .0.name, namespace = .0.namespace)]
    NoService(Key),
    /// The Service is an alias of a name outside of the cluster.
    #[error("Service {0} is of type ExternalName")]
    ExternalName(Key),
    /// The Service stands for one of another cluster and does not say which.
    #[error("Service {0} lacks the name of the remote Service")]
    NoRemoteService(Key),
    /// The Service stands for one of a cluster that is not known.
    #[error("Remote cluster not found: {0}")]
    NoCluster(Arc<str>),
    /// Of the clusters that the Service's endpoints are in, none has told all of its state yet.
    #[error("the initial state of remote cluster {0} is not complete yet")]
    ClusterNotReady(Arc<str>),
}

/// Why a request for a profile is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileRefusal {
    /// The initial lists are not complete.
    #[error("the initial state of the cluster is not complete yet")]
    NotReady,
    /// There is no such Service.
    #[error("Service {name}.{namespace} not found", name = .0.name, namespace = .0.namespace)]
    NoService(Key),
    /// The Service is an alias of a name outside of the cluster.
    #[error("Service {0} is of type ExternalName")]
    ExternalName(Key),
    /// No endpoint of the Service has the hostname.
    #[error("no pod found in EndpointSlices of Service {service} for hostname {hostname}")]
    NoHostname {
        /// The Service.
        service: Key,
        /// The hostname.
        hostname: Arc<str>,
    },
    /// Several objects have the address.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

/// An address that several objects have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A cluster address.
    #[error("found {count} services with conflicting cluster IP {ip}")]
    ClusterIp {
        /// How many.
        count: usize,
        /// The address.
        ip: IpAddr,
    },
    /// An address of pods.
    #[error("found {count} pods with a conflicting pod network IP {ip}")]
    PodIp {
        /// How many.
        count: usize,
        /// The address.
        ip: IpAddr,
    },
    /// A port of a node.
    #[error("found {count} pods with a conflicting host network endpoint {ip}:{port}")]
    HostPort {
        /// How many.
        count: usize,
        /// The node's address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
    /// A port of external workloads.
    #[error("found {count} externalworkloads with a conflicting ip {ip}:{port}")]
    External {
        /// How many.
        count: usize,
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
}
