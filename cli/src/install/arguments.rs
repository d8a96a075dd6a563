//! The options of `linkerd install`.

use super::{proxy_arguments::ProxyArgs, values::put};
use clap::{ArgAction, Args, ValueEnum};
use linkerd_controller::args::go_bool;
use serde_json::Value;
use std::path::PathBuf;

/// Print the manifests that install Linkerd
///
/// First the custom resource definitions, then the control plane:
///
///   linkerd install --crds | kubectl apply -f -
///   linkerd install | kubectl apply -f -
///
/// The manifests are those of the Helm charts linkerd-crds and linkerd-control-plane, whose values can be
/// set here too.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct InstallArgs {
    /// Print the custom resource definitions only
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    pub crds: bool,
    /// Do not look at the cluster
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    pub ignore_cluster: bool,
    /// Form of the output: YAML, or a line of JSON for each object
    #[arg(long, short, value_enum, default_value = "yaml", value_name = "FORMAT")]
    pub output: Format,
    /// Options of the control plane.
    #[command(flatten)]
    pub control_plane: ControlPlaneArgs,
    /// Options of identity.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Options of the proxy.
    #[command(flatten)]
    pub proxy: ProxyArgs,
    /// Values of the charts.
    #[command(flatten)]
    pub values: ValueArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// YAML documents.
    Yaml,
    /// A line of JSON for each object.
    Json,
}

/// Values of the charts, the later ones over the earlier.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Values of the charts")]
pub struct ValueArgs {
    /// File or https address with values in YAML; of several, the later ones win
    #[arg(long = "values", short = 'f', value_name = "FILE", action = ArgAction::Append)]
    pub files: Vec<String>,
    /// Values such as a.b=1,c={x,y}; they win over those of files
    #[arg(long, value_name = "VALUES", action = ArgAction::Append)]
    pub set: Vec<String>,
    /// As --set, but every value is a text
    #[arg(long, value_name = "VALUES", action = ArgAction::Append)]
    pub set_string: Vec<String>,
    /// As --set, but values are the contents of files: a.b=FILE
    #[arg(long, value_name = "VALUES", action = ArgAction::Append)]
    pub set_file: Vec<String>,
}

/// Options of the control plane.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of the control plane")]
pub struct ControlPlaneArgs {
    /// High availability: three replicas, and webhooks that fail closed
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    pub ha: bool,
    /// DNS domain of the cluster [default: cluster.local]
    #[arg(long, value_name = "DOMAIN")]
    cluster_domain: Option<String>,
    /// The CNI plug-in redirects traffic, instead of an init container
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    linkerd_cni_enabled: Option<bool>,
    /// Log level of the control plane [default: info]
    #[arg(long, value_name = "LEVEL")]
    controller_log_level: Option<String>,
    /// Replicas of each component [default: 1]
    #[arg(long, value_name = "N")]
    controller_replicas: Option<u32>,
    /// User of the processes [default: 2103]
    #[arg(long, value_name = "UID", allow_negative_numbers = true)]
    controller_uid: Option<i64>,
    /// Group of the processes
    #[arg(long, value_name = "GID", allow_negative_numbers = true)]
    controller_gid: Option<i64>,
    /// Proxies do not use HTTP/2 between each other for HTTP/1 requests
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    disable_h2_upgrade: Option<bool>,
    /// Accepted, without effect: there is no heartbeat
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          hide = true)]
    disable_heartbeat: Option<bool>,
    /// Accepted, without effect: EndpointSlices are always read
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          hide = true)]
    enable_endpoint_slices: Option<bool>,
}

/// Options of identity.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of identity")]
pub struct IdentityArgs {
    /// End of every identity [default: the cluster domain]
    #[arg(long, value_name = "DOMAIN")]
    identity_trust_domain: Option<String>,
    /// Life of the certificates of proxies [default: 24h0m0s]
    #[arg(long, value_name = "DURATION")]
    identity_issuance_lifetime: Option<String>,
    /// How far the clocks of nodes may be apart [default: 20s]
    #[arg(long, value_name = "DURATION")]
    identity_clock_skew_allowance: Option<String>,
    /// Something else, such as cert-manager, makes the Secret linkerd-identity-issuer
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    identity_external_issuer: Option<bool>,
    /// Something else maintains the ConfigMap linkerd-identity-trust-roots
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    identity_external_ca: Option<bool>,
    /// File with the trust anchors in PEM; credentials are made when none are given
    #[arg(long, value_name = "FILE")]
    pub identity_trust_anchors_file: Option<PathBuf>,
    /// File with the issuer's certificate in PEM, and the further ones up to a trust anchor
    #[arg(long, value_name = "FILE")]
    pub identity_issuer_certificate_file: Option<PathBuf>,
    /// File with the issuer's key in PEM
    #[arg(long, value_name = "FILE")]
    pub identity_issuer_key_file: Option<PathBuf>,
}

/// Sets a value if its option was given.
pub fn put_given(values: &mut Value, place: &str, given: Option<impl Into<Value>>) {
    if let Some(given) = given {
        put(values, place, given);
    }
}

impl ControlPlaneArgs {
    /// Sets the values that options were given for; `--ha` is not one of them.
    pub fn apply(&self, values: &mut Value) {
        put_given(values, "clusterDomain", self.cluster_domain.as_deref());
        put_given(values, "cniEnabled", self.linkerd_cni_enabled);
        put_given(values, "controllerLogLevel", self.controller_log_level.as_deref());
        put_given(values, "policyController.logLevel", self.controller_log_level.as_deref());
        put_given(values, "controllerReplicas", self.controller_replicas);
        put_given(values, "controllerUID", self.controller_uid);
        put_given(values, "controllerGID", self.controller_gid);
        put_given(values, "enableH2Upgrade", self.disable_h2_upgrade.map(|disabled| !disabled));
        put_given(values, "disableHeartBeat", self.disable_heartbeat);
        put_given(values, "enableEndpointSlices", self.enable_endpoint_slices);
    }
}

impl IdentityArgs {
    /// Sets the values that options were given for, but for the contents of files.
    pub fn apply(&self, values: &mut Value) {
        put_given(values, "identityTrustDomain", self.identity_trust_domain.as_deref());
        put_given(values, "identity.issuer.issuanceLifetime", self.identity_issuance_lifetime.as_deref());
        put_given(values, "identity.issuer.clockSkewAllowance", self.identity_clock_skew_allowance.as_deref());
        let scheme = self.identity_external_issuer.map(|external| match external {
            true => "kubernetes.io/tls",
            false => "linkerd.io/tls",
        });
        put_given(values, "identity.issuer.scheme", scheme);
        put_given(values, "identity.externalCA", self.identity_external_ca);
    }
}
