//! Authentications: sets of clients by identity or by network.

use super::{Network, Reference};
use crate::meta::{Meta, resource};
use serde::Deserialize;

/// Clients with one of some mesh identities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct MeshTlsAuthentication {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: MeshTlsAuthenticationSpec,
}
resource!(MeshTlsAuthentication, "policy.linkerd.io", "v1alpha1", "MeshTLSAuthentication", "meshtlsauthentications");

/// Specification of a [`MeshTlsAuthentication`]. Exactly one of the lists is present and has items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshTlsAuthenticationSpec {
    /// Identities: exact, `*` for any, or `*.` and a suffix.
    pub identities: Option<Vec<String>>,
    /// ServiceAccounts and Namespaces that stand for the identities of their pods.
    pub identity_refs: Option<Vec<Reference>>,
}

/// Clients in one of some networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct NetworkAuthentication {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: NetworkAuthenticationSpec,
}
resource!(NetworkAuthentication, "policy.linkerd.io", "v1alpha1", "NetworkAuthentication", "networkauthentications");

/// Specification of a [`NetworkAuthentication`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct NetworkAuthenticationSpec {
    /// Networks.
    pub networks: Vec<Network>,
}
