//! Everything about one injected pod that values and annotations decide, typed and checked.

use crate::core::{
    additional_env::EnvVar,
    image,
    ports::PortList,
    timeouts,
    values::{Resources, Values},
};
use linkerd_k8s::quantity::parse_thousandths;
use std::collections::BTreeMap;

/// Policies of inbound ports without a Server.
pub const DEFAULT_POLICIES: &[&str] =
    &["deny", "all-authenticated", "all-unauthenticated", "cluster-authenticated", "cluster-unauthenticated", "audit"];

/// Largest user or group that Kubernetes takes.
pub const MAX_ID: i64 = i32::MAX as i64;

/// Settings of one pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Image of proxy, init container and validator, without tag.
    pub image: String,
    /// Its tag.
    pub version: String,
    /// Its pull policy.
    pub pull_policy: String,
    /// Port of the tap server.
    pub control_port: u16,
    /// Port of inbound traffic.
    pub inbound_port: u16,
    /// Port of the admin server.
    pub admin_port: u16,
    /// Port of outbound traffic.
    pub outbound_port: u16,
    /// Ports whose policy is asked for at start, instead of those found in the pod.
    pub pod_inbound_ports: Option<PortList>,
    /// Ports without protocol detection, as written: names of container ports are allowed.
    pub opaque_ports: String,
    /// Inbound ports that bypass the proxy.
    pub skip_inbound_ports: PortList,
    /// Outbound ports that bypass the proxy.
    pub skip_outbound_ports: PortList,
    /// Networks whose inbound traffic bypasses the proxy.
    pub skip_subnets: Vec<String>,
    /// Requests and limits.
    pub resources: Resources,
    /// Least number of worker threads.
    pub min_workers: u64,
    /// Largest number of worker threads.
    pub max_workers: Option<u64>,
    /// Largest number of worker threads as a part of the node's cores.
    pub max_cpu_ratio: Option<f64>,
    /// User of the proxy's process.
    pub uid: i64,
    /// Group of the proxy's process.
    pub gid: Option<i64>,
    /// Log filter.
    pub log_level: String,
    /// Log format.
    pub log_format: String,
    /// Whether header values may appear in logs.
    pub log_http_headers: bool,
    /// Format of the access log; empty for none.
    pub access_log: String,
    /// Whether service profiles apply to names outside the cluster.
    pub external_profiles: bool,
    /// Inbound ports on which clients need an identity, as written.
    pub require_identity_ports: String,
    /// Policy of inbound ports without a Server.
    pub default_inbound_policy: String,
    /// Whether the proxy can be shut down over HTTP from its own pod.
    pub shutdown_endpoint: bool,
    /// Whether outbound metrics have host names as labels.
    pub hostname_labels: bool,
    /// Timeouts, in the proxy's own form.
    pub timeouts: Timeouts,
    /// Whether outbound protocol detection waits for ever.
    pub outbound_detect_forever: bool,
    /// Whether inbound protocol detection waits for ever.
    pub inbound_detect_forever: bool,
    /// Whether the application's containers wait for the proxy.
    pub await_proxy: bool,
    /// Seconds to sleep before the proxy is stopped, unless it is a native sidecar.
    pub wait_before_exit_seconds: u64,
    /// Whether the proxy is an init container that keeps running.
    pub native_sidecar: bool,
    /// Further environment variables.
    pub additional_env: Vec<EnvVar>,
    /// The debug container.
    pub debug: Debug,
    /// Whether the proxy forwards for other clusters.
    pub gateway: bool,
    /// Whether the proxy routes by the `l5d-dst-override` header.
    pub ingress: bool,
    /// Seconds that half-closed connections are tracked; zero for the kernel's default.
    pub close_wait_seconds: u64,
    /// Attributes of every span.
    pub trace_attributes: BTreeMap<String, String>,
}

/// Timeouts, in the proxy's own form; empty for the proxy's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting to other pods.
    pub outbound_connect: String,
    /// Connecting to the application.
    pub inbound_connect: String,
    /// Keeping unused outbound discovery results.
    pub outbound_discovery: String,
    /// Keeping unused inbound discovery results.
    pub inbound_discovery: String,
    /// Draining.
    pub shutdown_grace: String,
}

/// The debug container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// Whether it is added.
    pub enabled: bool,
    /// Its image, without tag.
    pub image: String,
    /// Its tag.
    pub version: String,
    /// Its pull policy.
    pub pull_policy: String,
}

impl Settings {
    /// The settings of a pod without annotations. Every value that cannot be used is reported, by its
    /// path, to `mistake`.
    pub fn from_values(values: &Values, mistake: &mut dyn FnMut(String)) -> Self {
        let mut check = Check { mistake };
        let proxy = &values.proxy;
        let (image, debug) = (&proxy.image, &values.debug_container.image);
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let workers = &proxy.runtime.workers;
        Self {
            image: check.image("proxy.image.name", &image.name),
            version: check.version("proxy.image.version", or(&image.version, &values.linkerd_version)),
            pull_policy: check.policy("proxy.image.pullPolicy", or(&image.pull_policy, &values.image_pull_policy)),
            control_port: check.port("proxy.ports.control", proxy.ports.control),
            inbound_port: check.port("proxy.ports.inbound", proxy.ports.inbound),
            admin_port: check.port("proxy.ports.admin", proxy.ports.admin),
            outbound_port: check.port("proxy.ports.outbound", proxy.ports.outbound),
            pod_inbound_ports: None,
            opaque_ports: check.port_list("proxy.opaquePorts", &proxy.opaque_ports).to_string(),
            skip_inbound_ports: check
                .port_list("proxyInit.ignoreInboundPorts", &values.proxy_init.ignore_inbound_ports),
            skip_outbound_ports: check
                .port_list("proxyInit.ignoreOutboundPorts", &values.proxy_init.ignore_outbound_ports),
            skip_subnets: check.networks("proxyInit.skipSubnets", &values.proxy_init.skip_subnets),
            resources: check.resources(&proxy.resources),
            min_workers: check.count("proxy.runtime.workers.minimum", workers.minimum).max(1),
            max_workers: Some(check.count("proxy.runtime.workers.maximum", workers.maximum)).filter(|max| *max > 0),
            max_cpu_ratio: check.ratio("proxy.runtime.workers.maximumCPURatio", workers.maximum_cpu_ratio),
            uid: check.id("proxy.uid", proxy.uid, 1),
            gid: Some(check.id("proxy.gid", proxy.gid.max(-1), -1)).filter(|gid| *gid >= 0),
            log_level: proxy.log_level.clone(),
            log_format: proxy.log_format.clone(),
            log_http_headers: check.log_headers("proxy.logHTTPHeaders", &proxy.log_http_headers),
            access_log: proxy.access_log.clone(),
            external_profiles: proxy.enable_external_profiles,
            require_identity_ports: proxy.require_identity_on_inbound_ports.clone(),
            default_inbound_policy: check.default_policy("proxy.defaultInboundPolicy", &proxy.default_inbound_policy),
            shutdown_endpoint: proxy.enable_shutdown_endpoint,
            hostname_labels: proxy.metrics.hostname_labels,
            timeouts: check.timeouts(values),
            outbound_detect_forever: proxy.disable_outbound_protocol_detect_timeout,
            inbound_detect_forever: proxy.disable_inbound_protocol_detect_timeout,
            await_proxy: proxy.r#await,
            wait_before_exit_seconds: check.count("proxy.waitBeforeExitSeconds", proxy.wait_before_exit_seconds),
            native_sidecar: proxy.native_sidecar,
            additional_env: proxy.additional_env.clone(),
            debug: Debug {
                enabled: false,
                image: check.image("debugContainer.image.name", &debug.name),
                version: check.version("debugContainer.image.version", or(&debug.version, &values.linkerd_version)),
                pull_policy: check
                    .policy("debugContainer.image.pullPolicy", or(&debug.pull_policy, &values.image_pull_policy)),
            },
            gateway: proxy.is_gateway,
            ingress: proxy.is_ingress,
            close_wait_seconds: check
                .count("proxyInit.closeWaitTimeoutSecs", values.proxy_init.close_wait_timeout_secs),
            trace_attributes: proxy.tracing.labels.clone(),
        }
    }
}

/// Checks values and reports those that cannot be used.
struct Check<'a> {
    mistake: &'a mut dyn FnMut(String),
}

impl Check<'_> {
    fn report(&mut self, path: &str, value: impl std::fmt::Debug, expected: &str) {
        (self.mistake)(format!("{path}: {value:?} is not {expected}"));
    }

    fn require<T: std::fmt::Debug>(&mut self, path: &str, value: T, good: bool, expected: &str) -> T {
        if !good {
            self.report(path, &value, expected);
        }
        value
    }

    fn image(&mut self, path: &str, name: &str) -> String {
        self.require(path, name.to_owned(), image::is_name(name), "an image name without tag")
    }

    fn version(&mut self, path: &str, version: String) -> String {
        let good = image::is_version(&version);
        self.require(path, version, good, "an image tag")
    }

    fn policy(&mut self, path: &str, policy: String) -> String {
        let good = image::PULL_POLICIES.contains(&policy.as_str());
        self.require(path, policy, good, "Always, IfNotPresent or Never")
    }

    fn port(&mut self, path: &str, port: i64) -> u16 {
        match u16::try_from(port) {
            Ok(port) if port > 0 => port,
            _ => {
                self.report(path, port, "a port from 1 to 65535");
                0
            }
        }
    }

    fn port_list(&mut self, path: &str, text: &str) -> PortList {
        let (list, bad) = PortList::parse(text);
        for item in bad {
            self.report(path, item, "a port from 1 to 65535 or a range of them");
        }
        list
    }

    fn networks(&mut self, path: &str, text: &str) -> Vec<String> {
        let (networks, bad) = networks(text);
        for item in bad {
            self.report(path, item, "a network such as 10.0.0.0/8");
        }
        networks
    }

    fn resources(&mut self, resources: &Resources) -> Resources {
        for (name, bounds) in [
            ("cpu", &resources.cpu),
            ("memory", &resources.memory),
            ("ephemeral-storage", &resources.ephemeral_storage),
        ] {
            for (bound, text) in [("request", &bounds.request), ("limit", &bounds.limit)] {
                if !text.is_empty() && quantity(text).is_none() {
                    self.report(&format!("proxy.resources.{name}.{bound}"), text, "a quantity such as 100m or 64Mi");
                }
            }
        }
        resources.clone()
    }

    fn count(&mut self, path: &str, number: i64) -> u64 {
        u64::try_from(number).unwrap_or_else(|_| {
            self.report(path, number, "a number from 0 on");
            0
        })
    }

    fn id(&mut self, path: &str, id: i64, lowest: i64) -> i64 {
        self.require(path, id, (lowest..=MAX_ID).contains(&id), "a user or group that a container can run as")
    }

    fn ratio(&mut self, path: &str, ratio: f64) -> Option<f64> {
        self.require(path, ratio, (0.0..=1.0).contains(&ratio), "a ratio from 0 to 1");
        Some(ratio).filter(|ratio| *ratio > 0.0)
    }

    fn log_headers(&mut self, path: &str, text: &str) -> bool {
        log_http_headers(text).unwrap_or_else(|| {
            self.report(path, text, "off or insecure");
            false
        })
    }

    fn default_policy(&mut self, path: &str, policy: &str) -> String {
        let good = DEFAULT_POLICIES.contains(&policy);
        self.require(path, policy.to_owned(), good, &format!("one of {}", DEFAULT_POLICIES.join(", ")))
    }

    fn timeouts(&mut self, values: &Values) -> Timeouts {
        let proxy = &values.proxy;
        let mut read = |path: &str, text: &str| {
            if text.is_empty() {
                return String::new();
            }
            timeouts::for_proxy(text).unwrap_or_else(|error| {
                self.report(path, text, error.expected());
                String::new()
            })
        };
        Timeouts {
            outbound_connect: read("proxy.outboundConnectTimeout", &proxy.outbound_connect_timeout),
            inbound_connect: read("proxy.inboundConnectTimeout", &proxy.inbound_connect_timeout),
            outbound_discovery: read(
                "proxy.outboundDiscoveryCacheUnusedTimeout",
                &proxy.outbound_discovery_cache_unused_timeout,
            ),
            inbound_discovery: read(
                "proxy.inboundDiscoveryCacheUnusedTimeout",
                &proxy.inbound_discovery_cache_unused_timeout,
            ),
            shutdown_grace: read("proxy.shutdownGracePeriod", &proxy.shutdown_grace_period),
        }
    }
}

/// Reads a comma-joined list of networks; host bits are allowed. Returns the good and the bad items.
pub fn networks(text: &str) -> (Vec<String>, Vec<String>) {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned);
    items.partition(|item| item.parse::<ipnet::IpNet>().is_ok())
}

/// Reads a non-negative quantity, in thousandths.
pub fn quantity(text: &str) -> Option<u64> {
    parse_thousandths(text).ok().filter(|_| !text.starts_with('-')).and_then(|value| u64::try_from(value).ok())
}

/// Whether header values may be logged; `None` for a word that does not exist.
pub fn log_http_headers(text: &str) -> Option<bool> {
    match text {
        "" | "off" => Some(false),
        "insecure" => Some(true),
        _ => None,
    }
}
