//! The command line.

use clap::Parser;
use linkerd_controller::{
    args::{Common, ListenAddr, ProcessArgs, go_bool},
    webhook_certificate::WebhookCertificateArgs,
};

/// Answers whether ServiceProfiles are valid, as an admission webhook.
#[derive(Clone, Debug, Parser)]
#[command(name = "linkerd-sp-validator", version)]
pub struct Args {
    /// Arguments of every process
    #[command(flatten)]
    pub common: Common,
    /// Address of the webhook
    #[arg(long, default_value = ":8443", value_name = "ADDRESS")]
    pub addr: ListenAddr,
    /// Address of the admin server
    #[arg(long, default_value = ":9997", value_name = "ADDRESS")]
    pub metrics_addr: ListenAddr,
    /// Accepted for compatibility; there are no profiles to serve
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          default_value = "false", hide_short_help = true)]
    pub enable_pprof: bool,
    /// Namespace of the control plane
    #[arg(long, default_value = "linkerd", value_name = "NAMESPACE")]
    pub controller_namespace: String,
    /// Where the webhook's certificate comes from
    #[command(flatten)]
    pub certificate: WebhookCertificateArgs,
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
    use std::path::PathBuf;

    #[test]
    fn the_flags_of_existing_manifests_are_taken() {
        let line = "bin sp-validator -addr=:1 -metrics-addr=127.0.0.1:2 -enable-pprof=false -log-level=info \
                    -log-format=plain -kubeconfig=";
        let args: Args = parse(line.split_whitespace().map(Into::into), "sp-validator").unwrap();
        assert_eq!((args.addr.port, args.metrics_addr), (1, ListenAddr::loopback(2)));
        let defaults: Args = parse(["bin".into()], "sp-validator").unwrap();
        assert_eq!((defaults.addr.to_string(), defaults.metrics_addr.to_string()), (":8443".into(), ":9997".into()));
        assert_eq!(defaults.certificate.tls_dir, PathBuf::from("/var/run/linkerd/tls"));
    }
}
