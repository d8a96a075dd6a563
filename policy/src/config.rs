//! What the control plane is told once, at its start.

use ipnet::IpNet;
use linkerd_k8s::{Identity, PortSet, policy::AccessPolicy};

/// Configuration of the policy service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may connect to ports that no Server selects, where the workload does not say.
    pub default_policy: AccessPolicy,
    /// Networks of the cluster: its pods, Services and nodes.
    pub cluster_networks: Vec<IpNet>,
    /// Networks that probes of the kubelet come from.
    pub probe_networks: Vec<IpNet>,
    /// Trust domain of mesh identities.
    pub identity_domain: String,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Namespace of the control plane.
    pub control_plane_namespace: String,
    /// Ports of Services on which proxies do not detect the protocol, unless a Service says otherwise.
    pub default_opaque_ports: PortSet,
    /// Whether headers of a request may change its timeouts and retries.
    pub allow_l5d_request_headers: bool,
}

impl Config {
    /// The mesh identity of a service account.
    pub fn identity(&self, account: &str, namespace: &str) -> String {
        let Self { control_plane_namespace, identity_domain, .. } = self;
        Identity::service_account(account, namespace, control_plane_namespace, identity_domain).into()
    }

    /// Whether an address is in one of the cluster's networks.
    pub fn is_in_cluster(&self, ip: std::net::IpAddr) -> bool {
        self.cluster_networks.iter().any(|network| network.contains(&ip))
    }
}
