//! Services.

use crate::{
    meta::{Meta, null_is_default, resource},
    pod::Protocol,
    ports::PortName,
};
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr};

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    #[serde(deserialize_with = "null_is_default")]
    pub spec: ServiceSpec,
}
resource!(Service, "", "v1", "Service", "services");

impl Service {
    /// Cluster addresses; none for a headless Service.
    pub fn cluster_ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let single = if self.spec.cluster_ips.is_empty() { self.spec.cluster_ip.parse().ok() } else { None };
        self.spec.cluster_ips.iter().filter_map(|ip| ip.parse().ok()).chain(single)
    }

    /// Whether the Service has no cluster address on purpose.
    pub fn is_headless(&self) -> bool {
        self.spec.cluster_ip == "None"
    }

    /// Whether the Service is an alias of a DNS name outside the cluster.
    pub fn is_external_name(&self) -> bool {
        self.spec.type_ == "ExternalName"
    }
}

/// The part of a Service's specification that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`; empty means the first.
    #[serde(rename = "type", deserialize_with = "null_is_default")]
    pub type_: String,
    /// Primary cluster address, or `None`.
    #[serde(rename = "clusterIP", deserialize_with = "null_is_default")]
    pub cluster_ip: String,
    /// All cluster addresses.
    #[serde(rename = "clusterIPs", deserialize_with = "null_is_default")]
    pub cluster_ips: Vec<String>,
    /// Ports.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<ServicePort>,
    /// Labels of the pods behind the Service; absent when endpoints are written by others.
    pub selector: Option<BTreeMap<String, String>>,
    /// `Local` keeps traffic on the client's node.
    #[serde(deserialize_with = "null_is_default")]
    pub internal_traffic_policy: String,
    /// `IPv4`, `IPv6` or both.
    #[serde(deserialize_with = "null_is_default")]
    pub ip_families: Vec<String>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Name, empty when it has none.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Port of the Service.
    pub port: u16,
    /// Port of the pods, by number or name; the Service's own port when absent.
    pub target_port: Option<PortName>,
    /// Transport protocol; TCP when absent.
    #[serde(deserialize_with = "null_is_default")]
    pub protocol: Protocol,
    /// Application protocol.
    pub app_protocol: Option<String>,
}
