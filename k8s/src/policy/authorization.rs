//! AuthorizationPolicies: what may be reached by whom.

use super::{LocalReference, Reference};
use crate::meta::{Meta, resource};
use serde::Deserialize;

/// Lets clients reach a target when all of some authentications hold for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AuthorizationPolicy {
    /// Metadata.
    pub metadata: Meta,
    /// What was asked for.
    pub spec: AuthorizationPolicySpec,
}
resource!(AuthorizationPolicy, "policy.linkerd.io", "v1alpha1", "AuthorizationPolicy", "authorizationpolicies");

/// Specification of an [`AuthorizationPolicy`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationPolicySpec {
    /// What may be reached.
    pub target_ref: LocalReference,
    /// What must hold for a client; an empty list lets everybody in.
    pub required_authentication_refs: Vec<Reference>,
}
