//! ServerAuthorizations: the older way to let clients reach Servers.

use super::Network;
use crate::{
    meta::{Meta, null_is_default, resource},
    selector::LabelSelector,
};
use serde::Deserialize;

/// Lets clients reach some Servers of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerAuthorization {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: ServerAuthorizationSpec,
}
resource!(ServerAuthorization, "policy.linkerd.io", "v1beta1", "ServerAuthorization", "serverauthorizations");

/// Specification of a [`ServerAuthorization`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerAuthorizationSpec {
    /// Which Servers.
    pub server: ServerSelection,
    /// Which clients.
    pub client: ClientSpec,
}

/// Selects Servers of a namespace, by name or by their labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NameOrSelector")]
pub enum ServerSelection {
    /// The Server of this name.
    Name(String),
    /// Servers whose labels match.
    Selector(LabelSelector),
}

#[derive(Deserialize)]
struct NameOrSelector {
    name: Option<String>,
    selector: Option<LabelSelector>,
}

impl TryFrom<NameOrSelector> for ServerSelection {
    type Error = &'static str;

    fn try_from(written: NameOrSelector) -> Result<Self, Self::Error> {
        match (written.name, written.selector) {
            (Some(name), None) => Ok(Self::Name(name)),
            (None, Some(selector)) => Ok(Self::Selector(selector)),
            _ => Err("has to have exactly one of name and selector"),
        }
    }
}

/// Clients of a [`ServerAuthorization`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientSpec {
    /// Networks that clients must be in; empty for those of the cluster.
    #[serde(deserialize_with = "null_is_default")]
    pub networks: Vec<Network>,
    /// Whether clients need no mesh TLS.
    #[serde(deserialize_with = "null_is_default")]
    pub unauthenticated: bool,
    /// Mesh TLS that clients need.
    #[serde(rename = "meshTLS")]
    pub mesh_tls: Option<MeshTlsClient>,
}

/// Mesh TLS of the clients of a [`ServerAuthorization`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshTlsClient {
    /// Whether clients need TLS but no identity.
    #[serde(rename = "unauthenticatedTLS", deserialize_with = "null_is_default")]
    pub unauthenticated_tls: bool,
    /// Identities: exact, `*` for any, or `*.` and a suffix.
    #[serde(deserialize_with = "null_is_default")]
    pub identities: Vec<String>,
    /// Service accounts.
    #[serde(deserialize_with = "null_is_default")]
    pub service_accounts: Vec<ServiceAccountName>,
}

/// Names a service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ServiceAccountName {
    /// Name.
    pub name: String,
    /// Namespace; absent for that of the referring object.
    pub namespace: Option<String>,
}
