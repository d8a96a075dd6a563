//! The command line.

use crate::config::Config;
use clap::Parser;
use ipnet::IpNet;
use linkerd_controller::{
    args::{Common, ListenAddr, Overrides, ProcessArgs, go_bool},
    identity::OwnIdentityArgs,
};
use linkerd_k8s::{PortSet, policy::AccessPolicy};
use std::{net::IpAddr, path::PathBuf, str::FromStr};

/// Tells proxies who may reach their ports, and how requests to a target are sent.
#[derive(Clone, Debug, Parser)]
#[command(name = "linkerd-policy", version)]
#[command(mut_arg("log_level", |arg| arg.env("LINKERD_POLICY_CONTROLLER_LOG").default_value("linkerd=info,warn")))]
pub struct Args {
    /// Arguments of every process
    #[command(flatten)]
    pub common: Common,
    /// How the process gets its own certificate
    #[command(flatten)]
    pub own_identity: OwnIdentityArgs,
    /// Which part of a kubeconfig is used, and as whom
    #[command(flatten)]
    pub overrides: Overrides,
    /// Address of the gRPC server
    #[arg(long, default_value = "0.0.0.0:8090", value_name = "ADDRESS")]
    pub grpc_addr: ListenAddr,
    /// Address of the admin server
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub admin_addr: ListenAddr,
    /// Networks of the cluster: its pods, Services and nodes
    #[arg(long, default_value = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16", value_name = "NETWORKS")]
    pub cluster_networks: Networks,
    /// Networks that probes of the kubelet come from; without any, probes need authorizations
    #[arg(long, default_value = "", value_name = "NETWORKS")]
    pub probe_networks: Networks,
    /// Who may connect to ports that no Server selects: all-unauthenticated, all-authenticated,
    /// cluster-unauthenticated, cluster-authenticated, deny or audit
    #[arg(long, default_value = "all-unauthenticated", value_name = "POLICY")]
    pub default_policy: AccessPolicy,
    /// Ports of Services on which proxies do not detect the protocol, unless a Service says otherwise
    #[arg(long, value_name = "PORTS")]
    pub default_opaque_ports: PortSet,
    /// Trust domain of mesh identities
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub identity_domain: String,
    /// DNS domain of the cluster
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub cluster_domain: String,
    /// Namespace of the control plane
    #[arg(long, default_value = "linkerd", value_name = "NAMESPACE")]
    pub control_plane_namespace: String,
    /// Let headers of a request change its timeouts and retries
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false")]
    pub allow_l5d_request_headers: bool,
    /// Flags of what this version does not do
    #[command(flatten)]
    pub compatible: Compatible,
}

/// Flags that existing manifests set, for what this version does not do.
#[derive(Clone, Debug, clap::Args)]
pub struct Compatible {
    /// Accepted for compatibility; admission is not served by this version
    #[arg(long, default_value = "0.0.0.0:443", value_name = "ADDRESS", hide_short_help = true)]
    pub server_addr: ListenAddr,
    /// Accepted for compatibility; admission is not served by this version
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub server_tls_key: Option<PathBuf>,
    /// Accepted for compatibility; admission is not served by this version
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub server_tls_certs: Option<PathBuf>,
    /// Accepted for compatibility; admission is not served by this version
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false", hide_short_help = true)]
    pub admission_controller_disabled: bool,
    /// Accepted for compatibility; statuses are not written by this version
    #[arg(long, default_value = "linkerd-destination", value_name = "NAME", hide_short_help = true)]
    pub policy_deployment_name: String,
    /// Accepted for compatibility; statuses are not written by this version
    #[arg(long, default_value = "5000", value_name = "MILLISECONDS", hide_short_help = true)]
    pub patch_timeout_ms: u64,
    /// Accepted for compatibility; EgressNetworks are not served by this version
    #[arg(long, default_value = "linkerd-egress", value_name = "NAMESPACE", hide_short_help = true)]
    pub global_egress_network_namespace: String,
    /// Accepted for compatibility; watches notice a silent API server by themselves
    #[arg(long, default_value = "9s", value_name = "DURATION", hide_short_help = true)]
    pub kube_api_response_headers_timeout: String,
}

impl ProcessArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn admin_addr(&self) -> ListenAddr {
        self.admin_addr
    }
}

impl Args {
    pub(crate) fn config(self) -> Config {
        Config {
            default_policy: self.default_policy,
            cluster_networks: self.cluster_networks.0,
            probe_networks: self.probe_networks.0,
            identity_domain: self.identity_domain,
            cluster_domain: self.cluster_domain,
            control_plane_namespace: self.control_plane_namespace,
            default_opaque_ports: self.default_opaque_ports,
            allow_l5d_request_headers: self.allow_l5d_request_headers,
        }
    }
}

/// Networks, joined by commas; a bare address is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let networks = items.map(|item| {
            let bare = || item.parse::<IpAddr>().ok().map(IpNet::from);
            item.parse().ok().or_else(bare).ok_or_else(|| format!("{item:?} is no network; use ADDRESS/BITS"))
        });
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_controller::args::parse;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        parse(line.split_whitespace().map(Into::into), "policy")
    }

    #[test]
    fn the_flags_of_existing_manifests_are_taken() {
        let args = parsed(
            "bin --admin-addr=[::]:9990 --control-plane-namespace=linkerd --grpc-addr=[::]:8090 --server-addr=[::]:9443 \
             --server-tls-key=/var/run/linkerd/tls/tls.key --server-tls-certs=/var/run/linkerd/tls/tls.crt \
             --cluster-networks=10.0.0.0/8,fd00::/8 --identity-domain=td --cluster-domain=cd --default-policy=deny \
             --log-level=info --log-format=json --default-opaque-ports=25,587 --global-egress-network-namespace=e \
             --probe-networks=0.0.0.0/0,::/0 --policy-deployment-name=d --patch-timeout-ms=1 \
             --admission-controller-disabled --allow-l5d-request-headers --kube-api-response-headers-timeout=9s \
             --context=c --cluster=k --user=u --as=me --as-group=g --as-group=h",
        )
        .unwrap();
        assert_eq!(args.overrides.impersonate_groups, ["g", "h"]);
        let config = args.config();
        assert_eq!(config.default_policy, AccessPolicy::Deny);
        assert_eq!((config.cluster_networks.len(), config.probe_networks.len()), (2, 2));
        assert_eq!((config.identity_domain.as_str(), config.cluster_domain.as_str()), ("td", "cd"));
        assert!(config.allow_l5d_request_headers && config.default_opaque_ports.contains(587));
    }

    #[test]
    fn defaults_are_those_of_the_existing_process() {
        assert!(parsed("bin").is_err(), "the opaque ports have no default");
        let args = parsed("bin -default-opaque-ports 25").unwrap();
        assert_eq!((args.grpc_addr.port, args.admin_addr.port), (8090, 8080));
        assert_eq!(args.common.log_level, "linkerd=info,warn");
        let config = args.config();
        assert_eq!(config.default_policy, AccessPolicy::AllUnauthenticated);
        assert_eq!((config.cluster_networks.len(), config.probe_networks.len()), (4, 0));
    }

    #[test]
    fn a_bad_network_or_policy_is_named() {
        let error = |line: &str| parsed(line).unwrap_err().to_string();
        assert!(error("bin --default-opaque-ports=25 --cluster-networks=10.0.0.0/33").contains("10.0.0.0/33"));
        assert!(error("bin --default-opaque-ports=25 --default-policy=bogus").contains("bogus"));
        assert!(error("bin --default-opaque-ports=foo").contains("foo"));
    }
}
