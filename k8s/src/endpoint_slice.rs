//! EndpointSlices: the addresses behind Services.

use crate::{
    meta::{Meta, null_is_default, resource},
    names::label,
    pod::Protocol,
};
use serde::Deserialize;

/// A slice of the endpoints of one Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSlice {
    /// Metadata.
    pub metadata: Meta,
    /// Kind of the addresses.
    #[serde(deserialize_with = "null_is_default")]
    pub address_type: AddressType,
    /// Endpoints.
    #[serde(deserialize_with = "null_is_default")]
    pub endpoints: Vec<Endpoint>,
    /// Ports that every endpoint serves.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<EndpointPort>,
}
resource!(EndpointSlice, "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");

impl EndpointSlice {
    /// Name of the Service that the slice belongs to: by label, else by owner.
    pub fn service_name(&self) -> Option<&str> {
        self.metadata.label(label::SERVICE_NAME).filter(|name| !name.is_empty()).or_else(|| {
            let owners = self.metadata.owner_references.iter();
            owners
                .filter(|owner| owner.kind == "Service")
                .map(|owner| owner.name.as_str())
                .find(|name| !name.is_empty())
        })
    }
}

/// Kind of a slice's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum AddressType {
    /// IPv4 addresses.
    #[default]
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// DNS names, which are not served.
    #[serde(rename = "FQDN")]
    Fqdn,
    /// A kind that Kubernetes may add.
    #[serde(other)]
    Other,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// Addresses, all of the slice's kind.
    #[serde(deserialize_with = "null_is_default")]
    pub addresses: Vec<String>,
    /// Readiness.
    #[serde(deserialize_with = "null_is_default")]
    pub conditions: EndpointConditions,
    /// Hostname in the Service's DNS domain.
    #[serde(deserialize_with = "null_is_default")]
    pub hostname: String,
    /// Object behind the endpoint.
    pub target_ref: Option<TargetRef>,
    /// Node of the endpoint.
    #[serde(deserialize_with = "null_is_default")]
    pub node_name: String,
    /// Zone of the endpoint.
    #[serde(deserialize_with = "null_is_default")]
    pub zone: String,
    /// Which clients should use the endpoint.
    #[serde(deserialize_with = "null_is_default")]
    pub hints: EndpointHints,
}

impl Endpoint {
    /// Whether the endpoint takes new connections; absent means it does.
    pub fn is_ready(&self) -> bool {
        self.conditions.ready.unwrap_or(true)
    }
}

/// Readiness of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Whether new connections should go there; absent means yes.
    pub ready: Option<bool>,
    /// Whether the endpoint serves the connections that it has; absent means as ready as it is.
    pub serving: Option<bool>,
    /// Whether the endpoint is about to go; absent means no.
    pub terminating: Option<bool>,
}

/// Which clients should use an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointHints {
    /// Zones of the clients.
    #[serde(deserialize_with = "null_is_default")]
    pub for_zones: Vec<NamedHint>,
    /// Nodes of the clients.
    #[serde(deserialize_with = "null_is_default")]
    pub for_nodes: Vec<NamedHint>,
}

/// Name of a zone or node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct NamedHint {
    /// The name.
    pub name: String,
}

/// Reference to the object behind an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// `Pod` or `ExternalWorkload`.
    pub kind: String,
    /// Namespace.
    #[serde(deserialize_with = "null_is_default")]
    pub namespace: String,
    /// Name.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// UID; empty in hand-written slices.
    #[serde(deserialize_with = "null_is_default")]
    pub uid: String,
}

/// A port that every endpoint of a slice serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointPort {
    /// Name of the Service's port, empty when it has none.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Number; a port without one is not served.
    pub port: Option<u16>,
    /// Transport protocol; TCP when absent.
    #[serde(deserialize_with = "null_is_default")]
    pub protocol: Protocol,
}
