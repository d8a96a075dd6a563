//! ServerAuthorizations and AuthorizationPolicies, as the index keeps them.

use super::authentication::{AuthenticationId, Authentications, identity_match};
use crate::{
    config::Config,
    core::{
        authorization::{Authentication, all_networks},
        identity::IdentityMatch,
    },
};
use linkerd_k8s::{
    ObjectId,
    policy::{AuthorizationPolicy, GROUP, Network, Reference, ServerAuthorization, ServerSelection},
};
use std::collections::BTreeSet;

/// A ServerAuthorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAuthorizationRecord {
    pub(super) servers: ServerSelection,
    pub(super) networks: Vec<Network>,
    pub(super) authentication: Authentication,
}

/// A ServerAuthorization that lets nobody in, or nobody knows whom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidServerAuthorization {
    #[error("client has to have unauthenticated, meshTLS.unauthenticatedTLS, identities or serviceAccounts")]
    NoAuthentication,
    #[error("client has no networks, and the control plane knows none of the cluster's")]
    NoNetworks,
}

impl ServerAuthorizationRecord {
    pub(super) fn of(object: &ServerAuthorization, config: &Config) -> Result<Self, InvalidServerAuthorization> {
        let client = &object.spec.client;
        let mut networks = client.networks.clone();
        if networks.is_empty() {
            networks.extend(config.cluster_networks.iter().copied().map(Network::from));
        }
        if networks.is_empty() {
            return Err(InvalidServerAuthorization::NoNetworks);
        }
        let authentication = match &client.mesh_tls {
            _ if client.unauthenticated => Authentication::Unauthenticated,
            Some(tls) if tls.unauthenticated_tls => Authentication::TlsUnauthenticated,
            Some(tls) => {
                let own = &object.metadata.namespace;
                let accounts = tls.service_accounts.iter().map(|account| {
                    let namespace = account.namespace.as_deref().filter(|namespace| !namespace.is_empty());
                    IdentityMatch::Exact(config.identity(&account.name, namespace.unwrap_or(own)))
                });
                let identities: BTreeSet<_> =
                    tls.identities.iter().map(|text| identity_match(text)).chain(accounts).collect();
                if identities.is_empty() {
                    return Err(InvalidServerAuthorization::NoAuthentication);
                }
                Authentication::TlsAuthenticated(identities)
            }
            None => return Err(InvalidServerAuthorization::NoAuthentication),
        };
        Ok(Self { servers: object.spec.server.clone(), networks, authentication })
    }
}

/// An AuthorizationPolicy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PolicyRecord {
    pub(super) target: PolicyTarget,
    identity: Option<RequiredIdentity>,
    networks: Option<ObjectId>,
}

/// What an AuthorizationPolicy lets clients reach, in its own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicyTarget {
    /// The Server of this name.
    Server(String),
    /// Every Server.
    Namespace,
}

impl PolicyTarget {
    /// Whether the Server of this name is among what may be reached.
    pub(super) fn is_server(&self, server: &str) -> bool {
        match self {
            Self::Server(name) => name == server,
            Self::Namespace => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RequiredIdentity {
    Authentication(ObjectId),
    ServiceAccount(String),
}

/// An AuthorizationPolicy of which nobody knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPolicy {
    #[error("unsupported authorization target type: {0}")]
    Target(String),
    #[error("cannot target another namespace: {0}")]
    OtherNamespace(String),
    #[error("unsupported authentication kind(s): {0}")]
    Authentication(String),
    #[error("a MeshTLSAuthentication and ServiceAccount may not be set together, nor two of either")]
    SeveralIdentities,
    #[error("only a single NetworkAuthentication may be set")]
    SeveralNetworks,
}

impl PolicyRecord {
    pub(super) fn of(policy: &AuthorizationPolicy, config: &Config) -> Result<Self, InvalidPolicy> {
        let own = &policy.metadata.namespace;
        let mut record = Self { target: target(policy)?, identity: None, networks: None };
        let mut unsupported = Vec::new();
        for reference in &policy.spec.required_authentication_refs {
            let id = || ObjectId::new(reference.namespace_or(own), &reference.name);
            if let Some(identity) = required_identity(reference, own, config) {
                if record.identity.replace(identity).is_some() {
                    return Err(InvalidPolicy::SeveralIdentities);
                }
            } else if reference.is_to(GROUP, "NetworkAuthentication") {
                if record.networks.replace(id()).is_some() {
                    return Err(InvalidPolicy::SeveralNetworks);
                }
            } else {
                unsupported.push(reference.canonical_kind());
            }
        }
        if unsupported.is_empty() { Ok(record) } else { Err(InvalidPolicy::Authentication(unsupported.join(", "))) }
    }

    /// The authentications that the policy asks for.
    pub(super) fn authentications(&self) -> impl Iterator<Item = AuthenticationId> {
        let identity = match &self.identity {
            Some(RequiredIdentity::Authentication(id)) => Some(AuthenticationId::MeshTls(id.clone())),
            Some(RequiredIdentity::ServiceAccount(_)) | None => None,
        };
        identity.into_iter().chain(self.networks.clone().map(AuthenticationId::Network))
    }

    /// Which clients the policy lets in; nobody while an authentication is missing.
    pub(super) fn clients(&self, known: &Authentications) -> Option<(Vec<Network>, Authentication)> {
        let authentication = match &self.identity {
            None => Authentication::Unauthenticated,
            Some(RequiredIdentity::ServiceAccount(identity)) => {
                Authentication::TlsAuthenticated(BTreeSet::from([IdentityMatch::Exact(identity.clone())]))
            }
            Some(RequiredIdentity::Authentication(id)) => {
                Authentication::TlsAuthenticated(known.mesh_tls.get(id)?.clone())
            }
        };
        let networks = match &self.networks {
            None => all_networks(),
            Some(id) => known.networks.get(id)?.clone(),
        };
        Some((networks, authentication))
    }
}

fn target(policy: &AuthorizationPolicy) -> Result<PolicyTarget, InvalidPolicy> {
    let target = &policy.spec.target_ref;
    if target.is_to(GROUP, "Server") {
        Ok(PolicyTarget::Server(target.name.clone()))
    } else if !target.is_to("", "Namespace") {
        Err(InvalidPolicy::Target(target.canonical_kind()))
    } else if target.name == policy.metadata.namespace {
        Ok(PolicyTarget::Namespace)
    } else {
        Err(InvalidPolicy::OtherNamespace(target.name.clone()))
    }
}

fn required_identity(reference: &Reference, own: &str, config: &Config) -> Option<RequiredIdentity> {
    let namespace = reference.namespace_or(own);
    if reference.is_to(GROUP, "MeshTLSAuthentication") {
        Some(RequiredIdentity::Authentication(ObjectId::new(namespace, &reference.name)))
    } else if reference.is_to("", "ServiceAccount") {
        Some(RequiredIdentity::ServiceAccount(config.identity(&reference.name, namespace)))
    } else {
        None
    }
}
