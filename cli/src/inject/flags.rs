//! The options of `linkerd inject` that become annotations.

use anyhow::bail;
use clap::{ArgAction, Args};
use linkerd_controller::args::go_bool;
use linkerd_injector::manifest::overrides::Flags;
use linkerd_k8s::duration::parse_go;
use std::time::Duration;

/// Options that become annotations, except the deprecated ones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of the proxy")]
pub struct FlagArgs {
    /// Route by the l5d-dst-override header, as ingress controllers need it
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    ingress: bool,
    /// Add a container with tools for debugging
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    enable_debug_sidecar: bool,
    /// Make the proxy an init container that keeps running [default: true]
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    native_sidecar: Option<bool>,
    /// Apply ServiceProfiles to names outside the cluster
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    enable_external_profiles: Option<bool>,
    /// Policy of inbound ports without a Server, such as deny or all-authenticated
    #[arg(long, value_name = "POLICY")]
    default_inbound_policy: Option<String>,
    /// Inbound ports on which clients need an identity, such as 80,8000-8080
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    require_identity_on_inbound_ports: Vec<String>,
    /// Ports of protocols that are not detected
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    opaque_ports: Vec<String>,
    /// Inbound ports that bypass the proxy
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    skip_inbound_ports: Vec<String>,
    /// Outbound ports that bypass the proxy
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    skip_outbound_ports: Vec<String>,
    /// Port of inbound traffic
    #[arg(long, value_name = "PORT")]
    inbound_port: Option<u16>,
    /// Port of outbound traffic
    #[arg(long, value_name = "PORT")]
    outbound_port: Option<u16>,
    /// Port of the tap server
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// Port of metrics and readiness
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// Image of the proxy, without tag
    #[arg(long, value_name = "IMAGE")]
    proxy_image: Option<String>,
    /// Tag of the image
    #[arg(long, short = 'v', value_name = "TAG")]
    proxy_version: Option<String>,
    /// Registry of all images, instead of the one in their names [env: LINKERD_DOCKER_REGISTRY]
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
    /// When images are pulled: Always, IfNotPresent or Never
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// User that the proxy runs as
    #[arg(long, value_name = "UID", allow_negative_numbers = true)]
    proxy_uid: Option<i64>,
    /// Group that the proxy runs as
    #[arg(long, value_name = "GID", allow_negative_numbers = true)]
    proxy_gid: Option<i64>,
    /// Log filter of the proxy, such as warn,linkerd=debug
    #[arg(long, value_name = "LEVEL")]
    proxy_log_level: Option<String>,
    /// CPU that the proxy requests, such as 100m
    #[arg(long, value_name = "QUANTITY")]
    proxy_cpu_request: Option<String>,
    /// Most CPU that the proxy may use
    #[arg(long, value_name = "QUANTITY")]
    proxy_cpu_limit: Option<String>,
    /// Memory that the proxy requests, such as 20Mi
    #[arg(long, value_name = "QUANTITY")]
    proxy_memory_request: Option<String>,
    /// Most memory that the proxy may use
    #[arg(long, value_name = "QUANTITY")]
    proxy_memory_limit: Option<String>,
    /// Seconds to sleep before the proxy stops, unless it is a native sidecar
    #[arg(long, value_name = "SECONDS")]
    wait_before_exit_seconds: Option<u64>,
    /// How long half-closed connections are tracked, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    close_wait_timeout: Option<Duration>,
    #[command(flatten)]
    deprecated: Deprecated,
}

/// Names that options had before.
#[derive(Debug, Args)]
struct Deprecated {
    #[arg(long, hide = true, value_name = "QUANTITY")]
    proxy_cpu: Option<String>,
    #[arg(long, hide = true, value_name = "QUANTITY")]
    proxy_memory: Option<String>,
    #[arg(long, hide = true, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, default_value = "false")]
    disable_identity: bool,
}

impl FlagArgs {
    /// The options, after a word on the deprecated ones. `registry` is used when none is given.
    ///
    /// # Errors
    /// When an option is given that is no more.
    pub fn into_flags(self, registry: Option<String>) -> anyhow::Result<Flags> {
        let Deprecated { proxy_cpu, proxy_memory, disable_identity } = self.deprecated;
        if disable_identity {
            bail!("--disable-identity is no longer supported: proxies always have an identity");
        }
        let deprecated = [
            ("proxy-cpu", "proxy-cpu-request", proxy_cpu.is_some()),
            ("proxy-memory", "proxy-memory-request", proxy_memory.is_some()),
        ];
        for (old, new, _) in deprecated.into_iter().filter(|(_, _, is_given)| *is_given) {
            eprintln!("Flag --{old} has been deprecated, use --{new} instead");
        }
        Ok(Flags {
            proxy_image: self.proxy_image,
            registry: self.registry.or(registry),
            image_pull_policy: self.image_pull_policy,
            proxy_version: self.proxy_version,
            inbound_port: self.inbound_port,
            outbound_port: self.outbound_port,
            control_port: self.control_port,
            admin_port: self.admin_port,
            skip_inbound_ports: joined(self.skip_inbound_ports),
            skip_outbound_ports: joined(self.skip_outbound_ports),
            opaque_ports: joined(self.opaque_ports),
            proxy_uid: self.proxy_uid,
            proxy_gid: self.proxy_gid,
            proxy_log_level: self.proxy_log_level,
            proxy_cpu_request: self.proxy_cpu_request.or(proxy_cpu),
            proxy_cpu_limit: self.proxy_cpu_limit,
            proxy_memory_request: proxy_memory.or(self.proxy_memory_request),
            proxy_memory_limit: self.proxy_memory_limit,
            enable_external_profiles: self.enable_external_profiles,
            default_inbound_policy: self.default_inbound_policy,
            require_identity_on_inbound_ports: joined(self.require_identity_on_inbound_ports),
            wait_before_exit_seconds: self.wait_before_exit_seconds,
            native_sidecar: self.native_sidecar,
            ingress: self.ingress,
            enable_debug_sidecar: self.enable_debug_sidecar,
            close_wait_timeout: self.close_wait_timeout,
        })
    }
}

/// Values of an option that may be given several times.
fn joined(values: Vec<String>) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    match parse_go(text) {
        Ok(duration) if !duration.is_negative => Ok(duration.length),
        _ => Err("use a duration such as 30s or 1h30m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        flags: FlagArgs,
    }

    fn flags(line: &str, registry: Option<&str>) -> Flags {
        let words = std::iter::once("inject").chain(line.split_whitespace());
        Command::try_parse_from(words).unwrap().flags.into_flags(registry.map(str::to_owned)).unwrap()
    }

    #[test]
    fn ports_may_be_given_several_times() {
        let flags = flags("--skip-inbound-ports 22,23 --skip-inbound-ports 80-90", None);
        assert_eq!(flags.skip_inbound_ports.as_deref(), Some("22,23,80-90"));
        assert_eq!(flags.skip_outbound_ports, None);
    }

    #[test]
    fn a_given_registry_wins_over_the_environment() {
        assert_eq!(flags("", Some("env")).registry.as_deref(), Some("env"));
        assert_eq!(flags("--registry flag", Some("env")).registry.as_deref(), Some("flag"));
    }

    #[test]
    fn deprecated_names_still_work_and_that_of_memory_wins() {
        let flags = flags("-v 1 --proxy-cpu 1 --proxy-cpu-request 2 --proxy-memory 3 --proxy-memory-request 4", None);
        assert_eq!(flags.proxy_version.as_deref(), Some("1"));
        assert_eq!(flags.proxy_cpu_request.as_deref(), Some("2"));
        assert_eq!(flags.proxy_memory_request.as_deref(), Some("3"));
    }

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(flags("--close-wait-timeout 1h30m", None).close_wait_timeout, Some(Duration::from_secs(5400)));
        assert!(duration("1 hour").is_err());
        assert!(duration("-1s").is_err());
    }
}
