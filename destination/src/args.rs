//! Command line.

use crate::core::config::{Config, Http2Params};
use clap::{ArgAction, Parser};
use linkerd_controller::{
    args::{Common, ListenAddr, Maybe, ProcessArgs, go_bool},
    identity::OwnIdentityArgs,
    process::Misconfigured,
};
use linkerd_k8s::PortSet;

/// Tells proxies where a request goes: endpoints of Services, and profiles of Services and addresses
#[derive(Clone, Debug, Parser)]
#[command(name = "linkerd-destination", version, disable_version_flag = true)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    pub own_identity: OwnIdentityArgs,
    /// Address of the gRPC server
    #[arg(long, default_value = ":8086", value_name = "ADDR")]
    pub addr: ListenAddr,
    /// Address of the admin server
    #[arg(long, default_value = ":9996", value_name = "ADDR")]
    pub metrics_addr: ListenAddr,
    /// Namespace of the control plane
    #[arg(long, default_value = "linkerd", value_name = "NAME")]
    pub controller_namespace: String,
    /// `transport-header` reaches every meshed endpoint through its proxy's own port; `transparent` does not
    #[arg(long, default_value = "transparent", value_name = "MODE")]
    pub outbound_transport_mode: String,
    /// Offer HTTP/2 to meshed pods
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pub enable_h2_upgrade: bool,
    /// Read EndpointSlices, and write those of ExternalWorkloads; Endpoints objects are no longer read,
    /// whatever this says
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pub enable_endpoint_slices: bool,
    /// Use IPv6 endpoints, and prefer them
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pub enable_ipv6: bool,
    /// Domain of mesh identities; `cluster.local` when empty
    #[arg(long, default_value = "", value_name = "DOMAIN")]
    pub identity_trust_domain: String,
    /// DNS domain of the cluster; `cluster.local` when empty
    #[arg(long, default_value = "", value_name = "DOMAIN")]
    pub cluster_domain: String,
    /// Ports and ranges that are opaque unless an annotation says otherwise
    #[arg(long, default_value = "", value_name = "PORTS")]
    pub default_opaque_ports: PortSet,
    /// Accepted for compatibility: profiles are taken with the system's tools
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false", action = ArgAction::Set, value_name = "BOOL", hide_short_help = true)]
    pub enable_pprof: bool,
    /// Show metrics of the queue of Services whose EndpointSlices are written
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "true", action = ArgAction::Set, value_name = "BOOL", hide_short_help = true)]
    pub export_queue_metrics: bool,
    /// Accepted for compatibility: streams have no queues
    #[arg(long, default_value_t = 100, value_name = "N", hide_short_help = true, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(1..))]
    pub stream_queue_capacity: i64,
    /// Give endpoints in the client's zone ten times the weight (an experiment)
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false", action = ArgAction::Set, value_name = "BOOL")]
    pub ext_endpoint_zone_weights: bool,
    /// HTTP/2 parameters towards meshed endpoints, as JSON
    #[arg(long, default_value = "", value_name = "JSON", value_parser = http2_params)]
    pub meshed_http2_client_params: Maybe<Http2Params>,
    /// Accepted for compatibility: no traces are exported
    #[arg(long, default_value = "", value_name = "ADDR", hide_short_help = true)]
    pub trace_collector: String,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    version: Option<bool>,
}

fn http2_params(text: &str) -> Result<Maybe<Http2Params>, String> {
    if text.is_empty() {
        return Ok(Maybe(None));
    }
    serde_json::from_str(text).map(|params| Maybe(Some(params))).map_err(|error| format!("no parameters: {error}"))
}

impl ProcessArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn admin_addr(&self) -> ListenAddr {
        self.metrics_addr
    }
}

impl Args {
    /// The configuration that the arguments describe.
    ///
    /// # Errors
    /// When arguments contradict each other.
    pub fn config(&self) -> Result<Config, Misconfigured> {
        if self.enable_ipv6 && !self.enable_endpoint_slices {
            let mistake = "-enable-ipv6 needs -enable-endpoint-slices; set both or neither";
            return Err(Misconfigured(vec![mistake.to_owned()]));
        }
        if !self.enable_endpoint_slices {
            tracing::warn!(
                "Endpoints objects are no longer read; EndpointSlices hold the same and are read instead. None are \
                 written for ExternalWorkloads; remove -enable-endpoint-slices=false"
            );
        }
        if !self.trace_collector.is_empty() {
            tracing::warn!("no traces are exported; remove -trace-collector");
        }
        Ok(Config {
            controller_namespace: self.controller_namespace.clone(),
            trust_domain: domain(&self.identity_trust_domain, "identity-trust-domain"),
            cluster_domain: domain(&self.cluster_domain, "cluster-domain"),
            default_opaque_ports: self.default_opaque_ports.clone(),
            h2_upgrade: self.enable_h2_upgrade,
            ipv6: self.enable_ipv6,
            force_opaque_transport: is_transport_forced(&self.outbound_transport_mode),
            zone_weights: self.ext_endpoint_zone_weights,
            http2: self.meshed_http2_client_params.0,
        })
    }
}

fn domain(value: &str, flag: &str) -> String {
    if value.is_empty() {
        tracing::warn!(flag, "no domain is given; it is cluster.local");
        return "cluster.local".to_owned();
    }
    value.to_owned()
}

fn is_transport_forced(mode: &str) -> bool {
    if mode != "transport-header" && mode != "transparent" {
        tracing::error!(mode, "unknown outbound transport mode; it is transparent");
    }
    mode == "transport-header"
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_controller::args::parse;
    use std::ffi::OsString;

    fn config(arguments: &[&str]) -> Result<Config, String> {
        let arguments = ["linkerd-destination", "destination"].iter().chain(arguments).map(OsString::from);
        let args: Args = parse(arguments, "destination").map_err(|error| error.to_string())?;
        args.config().map_err(|error| error.to_string())
    }

    #[test]
    fn the_flags_of_existing_manifests_are_taken() {
        let config = config(&[
            "-addr=:8086",
            "-controller-namespace=l5d",
            "-outbound-transport-mode=transport-header",
            "-enable-h2-upgrade=false",
            "-log-level=info",
            "-log-format=plain",
            "-enable-endpoint-slices=true",
            "-cluster-domain=mycluster.local",
            "-identity-trust-domain=trust.domain",
            "-default-opaque-ports=25,587,3306,4444,5432,6379,9300,11211",
            "-enable-ipv6=false",
            "-enable-pprof=false",
            "--meshed-http2-client-params={\"keep_alive\":{\"interval\":{\"seconds\":10}}}",
            "-ext-endpoint-zone-weights",
            "-export-queue-metrics=false",
            "-stream-queue-capacity=100",
            "-trace-collector=",
            "-kubeconfig=",
        ])
        .unwrap();
        assert_eq!(config.controller_namespace, "l5d");
        assert!(config.force_opaque_transport && config.zone_weights && !config.ipv6 && !config.h2_upgrade);
        assert!(config.default_opaque_ports.contains(3306) && config.http2.is_some());
        assert_eq!((config.cluster_domain.as_str(), config.trust_domain.as_str()), ("mycluster.local", "trust.domain"));
    }

    #[test]
    fn empty_domains_are_cluster_local() {
        assert_eq!(config(&["-cluster-domain="]).unwrap(), Config::default());
    }

    // Case 79.
    #[test]
    fn contradictions_and_nonsense_are_refused() {
        assert!(config(&["-enable-endpoint-slices=false"]).unwrap_err().contains("-enable-ipv6"));
        assert!(config(&["-enable-endpoint-slices=false", "-enable-ipv6=false"]).is_ok());
        for bad in ["-stream-queue-capacity=0", "-stream-queue-capacity=-1", "-meshed-http2-client-params={", "-x"] {
            assert!(config(&[bad]).is_err(), "{bad}");
        }
        assert!(!config(&["-outbound-transport-mode=other"]).unwrap().force_opaque_transport);
    }
}
