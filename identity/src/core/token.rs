//! What a reviewed service-account token proves.

mod claims;

pub use self::claims::Claims;

use linkerd_k8s::identity::{Identity, is_dns_label};
use std::fmt;

/// The audience of tokens for this service.
pub const AUDIENCE: &str = "identity.l5d.io";

/// What the reviewer of a token says: the `status` of a `TokenReview`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// Whether the token is good.
    pub is_authenticated: bool,
    /// Why it could not be checked; empty otherwise.
    pub error: String,
    /// Whose token it is, `system:serviceaccount:<ns>:<sa>`.
    pub username: String,
    /// Those of the audiences asked about that the token is for.
    pub audiences: Vec<String>,
}

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceAccount {
    /// Namespace, an RFC 1123 label.
    pub namespace: String,
    /// Name, an RFC 1123 label.
    pub name: String,
}

/// Why a reviewed token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The reviewer's own words.
    #[error("{0}")]
    Review(String),
    /// The reviewer does not vouch for it.
    #[error("authentication token could not be authenticated")]
    Unauthenticated,
    /// A good token, but for others.
    #[error("authentication token is not for audience {AUDIENCE}")]
    Audience,
    /// The token of a user or node.
    #[error("Username must be in form system:TYPE:NS:SA: {0}")]
    Username(String),
    /// The token of something that is no service account.
    #[error("Username must be that of a service account: {0}")]
    NoServiceAccount(String),
    /// A part that cannot be part of an identity.
    #[error("Not a label: {0}")]
    NotALabel(String),
}

/// Which audiences a good token must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAudience {
    /// That of this service.
    Identity,
    /// Whatever the reviewer asks for.
    Any,
}

impl Review {
    /// Whether the token is for other audiences than those that were asked about.
    pub fn is_for_other_audiences(&self) -> bool {
        self.error.contains("token audiences")
    }

    /// The service account that the token proves.
    ///
    /// # Errors
    /// When it proves none.
    pub fn service_account(&self, required: RequiredAudience) -> Result<ServiceAccount, TokenError> {
        if !self.error.is_empty() {
            return Err(TokenError::Review(self.error.clone()));
        }
        if !self.is_authenticated {
            return Err(TokenError::Unauthenticated);
        }
        let is_for_us = self.audiences.iter().any(|audience| audience == AUDIENCE);
        if required == RequiredAudience::Identity && !is_for_us {
            return Err(TokenError::Audience);
        }
        ServiceAccount::of_username(&self.username)
    }
}

impl ServiceAccount {
    fn of_username(username: &str) -> Result<Self, TokenError> {
        let parts: Vec<&str> = username.split(':').collect();
        let ["system", kind, namespace, name] = parts[..] else {
            return Err(TokenError::Username(username.to_owned()));
        };
        if let Some(bad) = [kind, namespace, name].into_iter().find(|part| !is_dns_label(part)) {
            return Err(TokenError::NotALabel(bad.to_owned()));
        }
        if kind != "serviceaccount" {
            return Err(TokenError::NoServiceAccount(username.to_owned()));
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// The mesh identity of its pods.
    pub fn identity(&self, control_plane_namespace: &str, trust_domain: &str) -> Identity {
        Identity::service_account(&self.name, &self.namespace, control_plane_namespace, trust_domain)
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests;
