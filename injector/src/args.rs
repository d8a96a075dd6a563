//! The command line.

use clap::Parser;
use linkerd_controller::{
    args::{Common, ListenAddr, ProcessArgs, go_bool},
    webhook_certificate::WebhookCertificateArgs,
};
use std::path::PathBuf;

/// Adds the proxy to pods that are being created, as an admission webhook.
#[derive(Clone, Debug, Parser)]
#[command(name = "linkerd-injector", version)]
pub struct Args {
    /// Arguments of every process
    #[command(flatten)]
    pub common: Common,
    /// Address of the webhook
    #[arg(long, default_value = ":8443", value_name = "ADDRESS")]
    pub addr: ListenAddr,
    /// Address of the admin server
    #[arg(long, default_value = ":9995", value_name = "ADDRESS")]
    pub metrics_addr: ListenAddr,
    /// Namespace of the control plane
    #[arg(long, default_value = "linkerd", value_name = "NAMESPACE")]
    pub linkerd_namespace: String,
    /// Accepted for compatibility; there are no profiles to serve
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false", hide_short_help = true)]
    pub enable_pprof: bool,
    /// Where the webhook's certificate comes from
    #[command(flatten)]
    pub certificate: WebhookCertificateArgs,
    /// File with the install values, in YAML
    #[arg(long, default_value = "/var/run/linkerd/config/values", value_name = "FILE", hide_short_help = true)]
    pub values: PathBuf,
    /// File with the trust anchors, in PEM
    #[arg(
        long,
        default_value = "/var/run/linkerd/identity/trust-roots/ca-bundle.crt",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub trust_anchors: PathBuf,
}

impl ProcessArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn admin_addr(&self) -> ListenAddr {
        self.metrics_addr
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_controller::args::parse;

    #[test]
    fn the_flags_of_existing_manifests_are_taken() {
        let line = "bin proxy-injector -addr=:1 -metrics-addr=127.0.0.1:2 -enable-pprof=false -log-level=info \
                    -log-format=plain -kubeconfig= -linkerd-namespace=l5d";
        let args: Args = parse(line.split_whitespace().map(Into::into), "proxy-injector").unwrap();
        assert_eq!((args.addr.port, args.metrics_addr), (1, ListenAddr::loopback(2)));
        assert_eq!(args.linkerd_namespace, "l5d");
        let defaults: Args = parse(["bin".into()], "proxy-injector").unwrap();
        assert_eq!((defaults.addr.to_string(), defaults.metrics_addr.to_string()), (":8443".into(), ":9995".into()));
        assert_eq!(defaults.linkerd_namespace, "linkerd");
    }
}
