//! ExternalWorkloads: members of the mesh that run outside the cluster.

use crate::{
    meta::{Meta, null_is_default, resource},
    pod::{AddressEntry, Condition, Protocol},
};
use serde::Deserialize;
use std::net::IpAddr;

/// A workload outside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExternalWorkload {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: ExternalWorkloadSpec,
    /// What is.
    #[serde(deserialize_with = "null_is_default")]
    pub status: ExternalWorkloadStatus,
}
resource!(ExternalWorkload, "workload.linkerd.io", "v1beta1", "ExternalWorkload", "externalworkloads");

impl ExternalWorkload {
    /// Addresses of the workload.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.spec.workload_ips.iter().filter_map(|entry| entry.ip.parse().ok())
    }

    /// Whether a condition says that the workload takes traffic.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    }
}

/// Specification of an external workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalWorkloadSpec {
    /// Identity in the mesh. The deprecated spelling `meshTls` is read too.
    #[serde(rename = "meshTLS", alias = "meshTls")]
    pub mesh_tls: MeshTls,
    /// Ports.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<WorkloadPort>,
    /// Addresses, at most one of each family.
    #[serde(rename = "workloadIPs", deserialize_with = "null_is_default")]
    pub workload_ips: Vec<AddressEntry>,
}

/// Identity of an external workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshTls {
    /// SPIFFE ID or DNS-like identity.
    pub identity: String,
    /// TLS server name.
    pub server_name: String,
}

/// A port of an external workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WorkloadPort {
    /// Name, empty when it has none.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Number.
    pub port: u16,
    /// Transport protocol; TCP when absent.
    #[serde(deserialize_with = "null_is_default")]
    pub protocol: Protocol,
}

/// Status of an external workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExternalWorkloadStatus {
    /// Conditions.
    #[serde(deserialize_with = "null_is_default")]
    pub conditions: Vec<Condition>,
}
