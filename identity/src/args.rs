//! Command line of the identity process.

use crate::{
    clock::Clock,
    core::leaf::Lifetimes,
    issuer_files::{IssuerFiles, Scheme},
    issuer_objects::IssuerObjects,
    review_queue::AcceptedTokens,
    service::Config,
};
use clap::Parser;
use linkerd_controller::{
    args::{Common, ListenAddr, OptionalPath, ProcessArgs, go_bool, optional_path},
    process::Misconfigured,
};
use linkerd_k8s::{
    duration::parse_go,
    identity::{is_dns_label, is_dns_subdomain},
};
use std::{path::PathBuf, time::Duration};

/// Clock skew when none is given, or zero.
const DEFAULT_SKEW: Duration = Duration::from_secs(10);

/// Issues certificates to workloads
#[derive(Clone, Debug, Parser)]
#[command(name = "linkerd-identity", version)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Where gRPC is served
    #[arg(long, default_value = ":8080")]
    addr: ListenAddr,
    /// Where probes and metrics are served
    #[arg(long, default_value = ":9990")]
    admin_addr: ListenAddr,
    /// Namespace of the control plane
    #[arg(long, default_value = "", hide_default_value = true)]
    controller_namespace: String,
    /// Names of the issuer's files, linkerd.io/tls or kubernetes.io/tls; empty disables identity
    #[arg(long, default_value = "", hide_default_value = true)]
    identity_scheme: String,
    /// Trust domain, the end of every identity; empty disables identity
    #[arg(long, default_value = "", hide_default_value = true)]
    identity_trust_domain: String,
    /// Life of certificates
    #[arg(long, default_value = "24h", value_name = "DURATION", allow_hyphen_values = true)]
    identity_issuance_lifetime: String,
    /// How far the clocks of machines may be apart
    #[arg(long, default_value = "10s", value_name = "DURATION", allow_hyphen_values = true)]
    identity_clock_skew_allowance: String,
    /// Whether proxies have tokens for this service; if not, those for the API server are good too
    #[arg(long, default_value = "true", value_parser = go_bool, num_args = 0..=1,
          default_missing_value = "true", require_equals = true)]
    identity_token_projection: bool,
    /// Whether each certificate is worth a Kubernetes event
    #[arg(long, default_value = "true", value_parser = go_bool, num_args = 0..=1,
          default_missing_value = "true", require_equals = true)]
    identity_issuance_events: bool,
    /// Folder of the issuer's certificate and key
    #[arg(long, default_value = "/var/run/linkerd/identity/issuer", value_name = "FOLDER")]
    issuer: PathBuf,
    /// Folder of the trust anchors, in ca-bundle.crt
    #[arg(long, default_value = "/var/run/linkerd/identity/trust-roots", value_name = "FOLDER")]
    trust_roots: PathBuf,
    /// Secret of the issuer, in the namespace of the control plane, which is watched so that a change is in
    /// force at once; empty to rely on the mounted files
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    issuer_secret: String,
    /// ConfigMap of the trust anchors, watched likewise
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    trust_roots_config_map: String,
    /// File with the service-account token of this process, with which it certifies itself and serves
    /// TLS; empty to serve without TLS
    #[arg(long, default_value = "", value_parser = optional_path, value_name = "FILE")]
    pub own_token: OptionalPath,
    /// Accepted, without effect
    #[arg(long, default_value = "false", value_parser = go_bool, num_args = 0..=1,
          default_missing_value = "true", require_equals = true, hide = true)]
    enable_pprof: bool,
    /// Accepted, without effect: requests to the API server are not throttled here
    #[arg(long, default_value = "100", hide = true)]
    kube_apiclient_qps: f64,
    /// Accepted, without effect
    #[arg(long, default_value = "200", hide = true)]
    kube_apiclient_burst: u64,
    /// Accepted, without effect
    #[arg(long, default_value = "", hide = true)]
    trace_collector: String,
}

/// What a process is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Configuration of the authority.
    pub config: Config,
    /// Where its issuer is.
    pub files: IssuerFiles,
    /// The objects of the cluster that hold it, where they are watched.
    pub objects: IssuerObjects,
    /// How files and objects are named inside.
    pub scheme: Scheme,
    /// Where it serves.
    pub addr: ListenAddr,
    /// Whether each certificate is worth an event.
    pub issuance_events: bool,
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
    /// The settings, or `None` when identity is disabled.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn settings(&self) -> Result<Option<Settings>, Misconfigured> {
        if self.identity_scheme.is_empty() || self.identity_trust_domain.is_empty() {
            return Ok(None);
        }
        let mut mistakes = Vec::new();
        if !is_dns_label(&self.controller_namespace) {
            let given = &self.controller_namespace;
            mistakes.push(format!("--controller-namespace: {given:?} is no RFC 1123 label; name a namespace"));
        }
        if !is_dns_subdomain(&self.identity_trust_domain) {
            let given = &self.identity_trust_domain;
            mistakes.push(format!("--identity-trust-domain: {given:?} is no RFC 1123 subdomain"));
        }
        let lifetime = duration("identity-issuance-lifetime", &self.identity_issuance_lifetime, &mut mistakes);
        if lifetime == Some(Duration::ZERO) {
            mistakes.push("--identity-issuance-lifetime: must be longer than zero, such as 24h".to_owned());
        }
        let skew = duration("identity-clock-skew-allowance", &self.identity_clock_skew_allowance, &mut mistakes);
        let (Some(lifetime), Some(skew), true) = (lifetime, skew, mistakes.is_empty()) else {
            return Err(Misconfigured(mistakes));
        };
        Ok(Some(self.validated(lifetime, if skew.is_zero() { DEFAULT_SKEW } else { skew })))
    }

    fn validated(&self, lifetime: Duration, clock_skew: Duration) -> Settings {
        let Ok(scheme) = self.identity_scheme.parse::<Scheme>();
        let accepted_tokens =
            if self.identity_token_projection { AcceptedTokens::Projected } else { AcceptedTokens::AlsoDefault };
        Settings {
            config: Config {
                control_plane_namespace: self.controller_namespace.clone(),
                trust_domain: self.identity_trust_domain.clone(),
                lifetimes: Lifetimes { lifetime, clock_skew },
                accepted_tokens,
                clock: Clock::system(),
            },
            files: IssuerFiles::new(scheme, &self.issuer, &self.trust_roots),
            objects: IssuerObjects {
                secret: named(&self.issuer_secret),
                config_map: named(&self.trust_roots_config_map),
            },
            scheme,
            addr: self.addr,
            issuance_events: self.identity_issuance_events,
        }
    }
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn duration(flag: &str, text: &str, mistakes: &mut Vec<String>) -> Option<Duration> {
    let mistake = match parse_go(text) {
        Ok(duration) if duration.is_negative => format!("--{flag}: {text} is negative"),
        Ok(duration) => return Some(duration.length),
        Err(error) => format!("--{flag}: {error}"),
    };
    mistakes.push(mistake);
    None
}

#[cfg(test)]
mod tests;
