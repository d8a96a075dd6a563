//! Authorizations: which clients may connect.

use super::identity::IdentityMatch;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use linkerd_k8s::policy::{AccessPolicy, Network};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Lets clients connect that are in one of some networks and authenticated as it asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authorization {
    /// What the authorization comes from.
    pub source: AuthorizationSource,
    /// Networks; never empty.
    pub networks: Vec<Network>,
    /// What a client must show.
    pub authentication: Authentication,
}

/// What an authorization comes from, in the order in which proxies try them.
///
/// The first match is the one that traffic is attributed to. Objects come first, so that a default
/// such as `audit` is reported for nothing but what it alone lets in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuthorizationSource {
    /// The AuthorizationPolicy of this name.
    AuthorizationPolicy(String),
    /// The ServerAuthorization of this name.
    ServerAuthorization(String),
    /// An access policy.
    AccessPolicy(AccessPolicy),
    /// The networks that probes come from.
    Probe,
}

/// What a client must show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Nothing.
    Unauthenticated,
    /// Mesh TLS, with or without an identity.
    TlsUnauthenticated,
    /// Mesh TLS with one of these identities; never empty.
    TlsAuthenticated(BTreeSet<IdentityMatch>),
}

impl Authentication {
    /// Mesh TLS with any identity.
    pub fn any_identity() -> Self {
        Self::TlsAuthenticated(BTreeSet::from([IdentityMatch::any()]))
    }
}

/// Every address of either family.
pub fn all_networks() -> Vec<Network> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
    let v6 = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0);
    vec![IpNet::V4(v4).into(), IpNet::V6(v6).into()]
}

/// The authorization of an access policy: none for `deny`, and none for the cluster's networks when
/// there are none.
pub fn of_access_policy(policy: AccessPolicy, cluster_networks: &[IpNet]) -> Option<Authorization> {
    let cluster = || cluster_networks.iter().copied().map(Network::from).collect();
    let (networks, authentication): (Vec<Network>, _) = match policy {
        AccessPolicy::AllUnauthenticated | AccessPolicy::Audit => (all_networks(), Authentication::Unauthenticated),
        AccessPolicy::AllAuthenticated => (all_networks(), Authentication::any_identity()),
        AccessPolicy::ClusterUnauthenticated => (cluster(), Authentication::Unauthenticated),
        AccessPolicy::ClusterAuthenticated => (cluster(), Authentication::any_identity()),
        AccessPolicy::Deny => return None,
    };
    let source = AuthorizationSource::AccessPolicy(policy);
    (!networks.is_empty()).then_some(Authorization { source, networks, authentication })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases 4 and 14 of the spec's acceptance list.
    #[test]
    fn an_access_policy_says_who_and_from_where() {
        let cluster: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let authorization = |policy| of_access_policy(policy, &cluster);
        for policy in AccessPolicy::ALL {
            let Some(authorization) = authorization(policy) else {
                assert_eq!(policy, AccessPolicy::Deny);
                continue;
            };
            let is_cluster = policy.as_str().starts_with("cluster");
            assert_eq!(authorization.networks.len(), if is_cluster { 1 } else { 2 }, "{policy}");
            let is_authenticated = policy.as_str().ends_with("-authenticated");
            let expected =
                if is_authenticated { Authentication::any_identity() } else { Authentication::Unauthenticated };
            assert_eq!(authorization.authentication, expected, "{policy}");
            assert_eq!(authorization.source, AuthorizationSource::AccessPolicy(policy));
        }
        assert_eq!(of_access_policy(AccessPolicy::ClusterUnauthenticated, &[]), None);
    }
}
