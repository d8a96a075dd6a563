//! Authentications, and the authorization policies that ask for them.

use crate::{config::Config, core::identity::IdentityMatch};
use linkerd_k8s::{
    ObjectId,
    policy::{MeshTlsAuthentication, Network, NetworkAuthentication, Reference},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
};

/// Names an authentication of either kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum AuthenticationId {
    MeshTls(ObjectId),
    Network(ObjectId),
}

/// All authentications of the cluster; policies of any namespace may ask for them.
#[derive(Debug, Default)]
pub(super) struct Authentications {
    pub(super) mesh_tls: BTreeMap<ObjectId, BTreeSet<IdentityMatch>>,
    pub(super) networks: BTreeMap<ObjectId, Vec<Network>>,
    /// AuthorizationPolicies that ask for an authentication, whether or not it exists.
    dependents: HashMap<AuthenticationId, BTreeSet<ObjectId>>,
}

impl Authentications {
    /// Replaces the authentications that a policy asks for.
    pub(super) fn depend(
        &mut self,
        policy: &ObjectId,
        old: impl Iterator<Item = AuthenticationId>,
        new: impl Iterator<Item = AuthenticationId>,
    ) {
        for authentication in old {
            if let Some(policies) = self.dependents.get_mut(&authentication) {
                policies.remove(policy);
                if policies.is_empty() {
                    self.dependents.remove(&authentication);
                }
            }
        }
        for authentication in new {
            self.dependents.entry(authentication).or_default().insert(policy.clone());
        }
    }

    /// The policies that ask for an authentication.
    pub(super) fn dependents(&self, authentication: &AuthenticationId) -> Vec<ObjectId> {
        self.dependents.get(authentication).into_iter().flatten().cloned().collect()
    }

    /// Whether an authentication exists.
    pub(super) fn has(&self, authentication: &AuthenticationId) -> bool {
        match authentication {
            AuthenticationId::MeshTls(id) => self.mesh_tls.contains_key(id),
            AuthenticationId::Network(id) => self.networks.contains_key(id),
        }
    }

    /// Authentications that policies ask for and that do not exist, with those policies.
    pub(super) fn missing(&self) -> Vec<(&AuthenticationId, &BTreeSet<ObjectId>)> {
        self.dependents.iter().filter(|(authentication, _)| !self.has(authentication)).collect()
    }
}

/// An authentication that lets nobody in, or nobody knows whom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAuthentication {
    #[error("has to have exactly one of identities and identityRefs, with at least one item")]
    NoIdentities,
    #[error("invalid identity target kind: {0}; use ServiceAccount or Namespace")]
    Kind(String),
    #[error("at least one network must be specified")]
    NoNetworks,
}

pub(super) fn identities(
    authentication: &MeshTlsAuthentication,
    config: &Config,
) -> Result<BTreeSet<IdentityMatch>, InvalidAuthentication> {
    let spec = &authentication.spec;
    let identities: BTreeSet<IdentityMatch> = match (&spec.identities, &spec.identity_refs) {
        (Some(identities), None) => identities.iter().map(|identity| identity_match(identity)).collect(),
        (None, Some(references)) => {
            let own = &authentication.metadata.namespace;
            references.iter().map(|reference| referred(reference, own, config)).collect::<Result<_, _>>()?
        }
        _ => return Err(InvalidAuthentication::NoIdentities),
    };
    if identities.is_empty() { Err(InvalidAuthentication::NoIdentities) } else { Ok(identities) }
}

pub(super) fn identity_match(text: &str) -> IdentityMatch {
    let parsed: Result<IdentityMatch, Infallible> = text.parse();
    match parsed {
        Ok(identity) => identity,
    }
}

fn referred(reference: &Reference, own: &str, config: &Config) -> Result<IdentityMatch, InvalidAuthentication> {
    if reference.is_to("", "ServiceAccount") {
        let namespace = reference.namespace_or(own);
        Ok(IdentityMatch::Exact(config.identity(&reference.name, namespace)))
    } else if reference.is_to("", "Namespace") {
        Ok(identity_match(&config.identity("*", &reference.name)))
    } else {
        Err(InvalidAuthentication::Kind(reference.canonical_kind()))
    }
}

pub(super) fn networks(authentication: &NetworkAuthentication) -> Result<Vec<Network>, InvalidAuthentication> {
    let networks = &authentication.spec.networks;
    if networks.is_empty() { Err(InvalidAuthentication::NoNetworks) } else { Ok(networks.clone()) }
}
