//! Access policies: who may connect where no authorization says otherwise.

use std::{fmt, str::FromStr};

/// Who may connect to a port for which no authorization says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessPolicy {
    /// Everybody.
    AllUnauthenticated,
    /// Clients with a mesh identity, from everywhere.
    AllAuthenticated,
    /// Clients in the cluster's networks.
    ClusterUnauthenticated,
    /// Clients with a mesh identity, in the cluster's networks.
    ClusterAuthenticated,
    /// Nobody.
    Deny,
    /// Everybody; proxies log every request that is let in for no other reason.
    Audit,
}

/// A text that names no access policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid mode: {0:?}")]
pub struct UnknownAccessPolicy(pub String);

impl AccessPolicy {
    /// Every policy there is.
    pub const ALL: [Self; 6] = [
        Self::AllUnauthenticated,
        Self::AllAuthenticated,
        Self::ClusterUnauthenticated,
        Self::ClusterAuthenticated,
        Self::Deny,
        Self::Audit,
    ];

    /// The name, as in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllUnauthenticated => "all-unauthenticated",
            Self::AllAuthenticated => "all-authenticated",
            Self::ClusterUnauthenticated => "cluster-unauthenticated",
            Self::ClusterAuthenticated => "cluster-authenticated",
            Self::Deny => "deny",
            Self::Audit => "audit",
        }
    }

    /// The same policy for clients with a mesh identity only. `deny` and `audit` stay as they are.
    pub fn authenticated(self) -> Self {
        match self {
            Self::AllUnauthenticated => Self::AllAuthenticated,
            Self::ClusterUnauthenticated => Self::ClusterAuthenticated,
            Self::AllAuthenticated | Self::ClusterAuthenticated | Self::Deny | Self::Audit => self,
        }
    }
}

impl FromStr for AccessPolicy {
    type Err = UnknownAccessPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownAccessPolicy> {
        let named = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        named.ok_or_else(|| UnknownAccessPolicy(text.to_owned()))
    }
}

impl fmt::Display for AccessPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
