//! Servers: ports of pods or external workloads, with their protocol.

use super::{AccessPolicy, UnknownAccessPolicy};
use crate::{
    meta::{Meta, null_is_default, resource},
    ports::PortName,
    selector::LabelSelector,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A port of some pods or external workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Server {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: ServerSpec,
}
resource!(Server, "policy.linkerd.io", "v1beta3", "Server", "servers");

impl Server {
    /// Whether the Server selects pods with these labels.
    pub fn selects_pod(&self, labels: &BTreeMap<String, String>) -> bool {
        self.spec.pod_selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }

    /// Whether the Server selects external workloads with these labels.
    pub fn selects_external_workload(&self, labels: &BTreeMap<String, String>) -> bool {
        self.spec.external_workload_selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }

    /// Who may connect where no authorization says otherwise; nobody when the Server does not say.
    ///
    /// # Errors
    /// The text, when it names no policy.
    pub fn access_policy(&self) -> Result<AccessPolicy, UnknownAccessPolicy> {
        self.spec.access_policy.as_deref().map_or(Ok(AccessPolicy::Deny), str::parse)
    }
}

/// Specification of a Server. Exactly one of the selectors is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerSpec {
    /// Selects pods.
    pub pod_selector: Option<LabelSelector>,
    /// Selects external workloads.
    pub external_workload_selector: Option<LabelSelector>,
    /// Port by number or name.
    pub port: PortName,
    /// Protocol of the port. An unknown spelling is a decode error.
    #[serde(default, deserialize_with = "null_is_default")]
    pub proxy_protocol: ProxyProtocol,
    /// Access policy as written; see [`Server::access_policy`].
    pub access_policy: Option<String>,
}

/// Protocol that a proxy expects on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum ProxyProtocol {
    /// To be detected.
    #[default]
    #[serde(rename = "unknown")]
    Unknown,
    /// HTTP/1.
    #[serde(rename = "HTTP/1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "HTTP/2")]
    Http2,
    /// gRPC.
    #[serde(rename = "gRPC")]
    Grpc,
    /// Any; the proxy forwards bytes.
    #[serde(rename = "opaque")]
    Opaque,
    /// TLS that the application terminates.
    #[serde(rename = "TLS")]
    Tls,
}
