//! Kinds of `policy.linkerd.io`: who may talk to whom.
//!
//! A value that the kind does not know, such as a misspelled protocol or a network that is none, is a
//! decode error: the object is then treated as absent, never served in half.

mod access;
mod authentication;
mod authorization;
mod network;
mod reference;
mod server;
mod server_authorization;

pub use self::{
    access::{AccessPolicy, UnknownAccessPolicy},
    authentication::{
        MeshTlsAuthentication, MeshTlsAuthenticationSpec, NetworkAuthentication, NetworkAuthenticationSpec,
    },
    authorization::{AuthorizationPolicy, AuthorizationPolicySpec},
    network::Network,
    reference::{LocalReference, Reference},
    server::{ProxyProtocol, Server, ServerSpec},
    server_authorization::{
        ClientSpec, MeshTlsClient, ServerAuthorization, ServerAuthorizationSpec, ServerSelection, ServiceAccountName,
    },
};

/// API group of the kinds.
pub const GROUP: &str = "policy.linkerd.io";

#[cfg(test)]
mod tests;
