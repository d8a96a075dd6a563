//! The catalogue of configuration annotations: one row says what each takes, whether pods inherit it
//! from their namespace, what it sets, and how metrics show it.

use crate::core::{
    image,
    ports::PortList,
    settings::{self, DEFAULT_POLICIES, MAX_ID, Settings},
    timeouts::{self, Unit},
};
use linkerd_k8s::names::annotation::{DEFAULT_INBOUND_POLICY, INJECT, OPAQUE_PORTS, SKIP_INBOUND_PORTS};

pub use linkerd_k8s::names::annotation::REQUIRE_IDENTITY_INBOUND_PORTS;

/// Further environment variables: merged from values, namespace and pod.
pub const ADDITIONAL_ENV: &str = "config.linkerd.io/proxy-additional-env";
/// Whether the proxy is an init container that keeps running.
pub const NATIVE_SIDECAR: &str = "config.linkerd.io/proxy-enable-native-sidecar";
/// Deprecated second spelling.
pub const NATIVE_SIDECAR_BETA: &str = "config.beta.linkerd.io/proxy-enable-native-sidecar";
/// Deprecated third spelling.
pub const NATIVE_SIDECAR_ALPHA: &str = "config.alpha.linkerd.io/proxy-enable-native-sidecar";
/// Whether a debug container is added.
pub const DEBUG_SIDECAR: &str = "config.linkerd.io/enable-debug-sidecar";
/// Seconds that half-closed connections are tracked.
pub const CLOSE_WAIT_TIMEOUT: &str = "config.linkerd.io/close-wait-timeout";
/// Prefix of attributes of the pod's spans.
pub const TRACE_ATTRIBUTE_PREFIX: &str = "resource.opentelemetry.io/";

/// One annotation.
pub struct Entry {
    /// Its whole key.
    pub key: &'static str,
    /// Whether pods inherit it from their namespace.
    pub inherited: bool,
    /// Label of admission metrics that tells of it, and how.
    pub metric: Option<(&'static str, Shown)>,
    /// What it sets.
    pub set: Set,
}

/// How a metric's label shows an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its value when it is one of these, else `set`.
    Choice(&'static [&'static str]),
    /// `set`: values are unbounded, and may be secret.
    Presence,
}

/// What an annotation does to the settings of a pod.
pub enum Set {
    /// Sets a field of its own; an invalid value changes nothing.
    Field(fn(&mut Settings, &str) -> Result<(), Complaint>),
    /// Is read together with others, by the function that [`crate::core::config`] has for it.
    Elsewhere,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The value was ignored.
    Ignored(&'static str),
    /// These items were left out; the others are used.
    Dropped(Vec<String>, &'static str),
    /// The value was taken although the proxy will not use it.
    Unused(&'static str),
    /// The pod must be rejected.
    Fatal(&'static str),
}

const BOOLEANS: &[&str] = &["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"];
const SWITCH: &[&str] = &["enabled", "disabled"];
const PORT: &str = "a port from 1 to 65535";
const PORTS: &str = "a port from 1 to 65535 or a range of them";
const QUANTITY: &str = "a quantity such as 100m or 64Mi";

const YES: bool = true;
const NO: bool = false;

/// The catalogue, in the order of its documentation.
#[rustfmt::skip]
pub static CATALOGUE: &[Entry] = &[
    elsewhere(INJECT, YES, None),
    field("config.linkerd.io/proxy-image", YES, free("proxy_image"), |s, v| unless_empty(&mut s.image, v, image::is_name, "an image name without tag")),
    field("config.linkerd.io/proxy-version", YES, free("proxy_version"), |s, v| unless_empty(&mut s.version, v, image::is_version, "an image tag")),
    field("config.linkerd.io/image-pull-policy", YES, choice("image_pull_policy", image::PULL_POLICIES), |s, v| unless_empty(&mut s.pull_policy, v, is_pull_policy, "Always, IfNotPresent or Never")),
    field("config.linkerd.io/control-port", YES, free("control_port"), |s, v| set(&mut s.control_port, port(v), PORT)),
    field("config.linkerd.io/inbound-port", YES, free("inbound_port"), |s, v| set(&mut s.inbound_port, port(v), PORT)),
    field("config.linkerd.io/admin-port", YES, free("admin_port"), |s, v| set(&mut s.admin_port, port(v), PORT)),
    field("config.linkerd.io/outbound-port", YES, free("outbound_port"), |s, v| set(&mut s.outbound_port, port(v), PORT)),
    field("config.linkerd.io/pod-inbound-ports", YES, free("pod_inbound_ports"), pod_inbound_ports),
    field(OPAQUE_PORTS, YES, free("opaque_ports"), |s, v| { s.opaque_ports = v.to_owned(); Ok(()) }),
    field(SKIP_INBOUND_PORTS, YES, free("skip_inbound_ports"), |s, v| port_list(&mut s.skip_inbound_ports, v)),
    field("config.linkerd.io/skip-outbound-ports", YES, free("skip_outbound_ports"), |s, v| port_list(&mut s.skip_outbound_ports, v)),
    field("config.linkerd.io/skip-subnets", YES, free("skip_subnets"), skip_subnets),
    field("config.linkerd.io/proxy-cpu-request", YES, free("proxy_cpu_request"), cpu_request),
    field("config.linkerd.io/proxy-cpu-limit", YES, free("proxy_cpu_limit"), cpu_limit),
    field("config.linkerd.io/proxy-cpu-ratio-limit", NO, None, cpu_ratio_limit),
    field("config.linkerd.io/proxy-memory-request", YES, free("proxy_memory_request"), |s, v| quantity(&mut s.resources.memory.request, v)),
    field("config.linkerd.io/proxy-memory-limit", YES, free("proxy_memory_limit"), |s, v| quantity(&mut s.resources.memory.limit, v)),
    field("config.linkerd.io/proxy-ephemeral-storage-request", YES, free("proxy_ephemeral_storage_request"), |s, v| quantity(&mut s.resources.ephemeral_storage.request, v)),
    field("config.linkerd.io/proxy-ephemeral-storage-limit", YES, free("proxy_ephemeral_storage_limit"), |s, v| quantity(&mut s.resources.ephemeral_storage.limit, v)),
    field("config.linkerd.io/proxy-uid", YES, free("proxy_uid"), |s, v| set(&mut s.uid, id(v).filter(|uid| *uid > 0), "a user from 1 to 2147483647")),
    field("config.linkerd.io/proxy-gid", YES, free("proxy_gid"), |s, v| set(&mut s.gid, id(v).map(|gid| Some(gid).filter(|gid| *gid >= 0)), "a group from 0 to 2147483647, or -1 for none")),
    field("config.linkerd.io/proxy-log-level", YES, free("proxy_log_level"), |s, v| unless_empty(&mut s.log_level, v, is_one_line, "a log filter on one line")),
    field("config.linkerd.io/proxy-log-http-headers", YES, choice("proxy_log_http_headers", &["off", "insecure"]), log_http_headers),
    field("config.linkerd.io/proxy-log-format", YES, choice("proxy_log_format", &["plain", "json"]), log_format),
    field("config.linkerd.io/access-log", YES, choice("access_log", &["apache", "json"]), access_log),
    field("config.linkerd.io/enable-external-profiles", YES, boolean("enable_external_profiles"), |s, v| set_bool(&mut s.external_profiles, v)),
    field(REQUIRE_IDENTITY_INBOUND_PORTS, YES, free("proxy_require_identity_inbound_ports"), require_identity_ports),
    field(DEFAULT_INBOUND_POLICY, YES, choice("default_inbound_policy", DEFAULT_POLICIES), default_inbound_policy),
    field("config.linkerd.io/proxy-admin-shutdown", YES, choice("proxy_admin_shutdown", SWITCH), |s, v| set(&mut s.shutdown_endpoint, switch(v), "enabled or disabled")),
    field("config.linkerd.io/proxy-metrics-hostname-labels", YES, boolean("proxy_metrics_hostname_labels"), |s, v| set_bool(&mut s.hostname_labels, v)),
    field("config.linkerd.io/proxy-outbound-connect-timeout", YES, free("proxy_outbound_connect_timeout"), |s, v| connect_timeout(&mut s.timeouts.outbound_connect, v)),
    field("config.linkerd.io/proxy-inbound-connect-timeout", YES, free("proxy_inbound_connect_timeout"), |s, v| connect_timeout(&mut s.timeouts.inbound_connect, v)),
    field("config.linkerd.io/proxy-outbound-discovery-cache-unused-timeout", YES, free("proxy_outbound_discovery_cache_unused_timeout"), |s, v| timeout(&mut s.timeouts.outbound_discovery, v, Unit::Seconds)),
    field("config.linkerd.io/proxy-inbound-discovery-cache-unused-timeout", YES, free("proxy_inbound_discovery_cache_unused_timeout"), |s, v| timeout(&mut s.timeouts.inbound_discovery, v, Unit::Seconds)),
    field("config.linkerd.io/proxy-disable-outbound-protocol-detect-timeout", YES, boolean("proxy_disable_outbound_protocol_detect_timeout"), |s, v| set_bool(&mut s.outbound_detect_forever, v)),
    field("config.linkerd.io/proxy-disable-inbound-protocol-detect-timeout", YES, boolean("proxy_disable_inbound_protocol_detect_timeout"), |s, v| set_bool(&mut s.inbound_detect_forever, v)),
    field("config.linkerd.io/shutdown-grace-period", YES, free("shutdown_grace_period"), |s, v| timeout(&mut s.timeouts.shutdown_grace, v, Unit::Millis)),
    field("config.linkerd.io/proxy-await", YES, choice("proxy_await", SWITCH), |s, v| set(&mut s.await_proxy, switch(v), "enabled or disabled")),
    field("config.alpha.linkerd.io/proxy-wait-before-exit-seconds", YES, None, |s, v| set(&mut s.wait_before_exit_seconds, v.parse().ok(), "a number of seconds")),
    elsewhere(NATIVE_SIDECAR, YES, boolean("proxy_enable_native_sidecar")),
    elsewhere(NATIVE_SIDECAR_BETA, NO, None),
    elsewhere(NATIVE_SIDECAR_ALPHA, YES, None),
    elsewhere(ADDITIONAL_ENV, YES, free("proxy_additional_env")),
    field(DEBUG_SIDECAR, YES, boolean("enable_debug_sidecar"), |s, v| set_bool(&mut s.debug.enabled, v)),
    field("config.linkerd.io/debug-image", NO, None, |s, v| unless_empty(&mut s.debug.image, v, image::is_name, "an image name without tag")),
    field("config.linkerd.io/debug-image-version", NO, None, |s, v| unless_empty(&mut s.debug.version, v, image::is_version, "an image tag")),
    field("config.linkerd.io/debug-image-pull-policy", NO, None, |s, v| unless_empty(&mut s.debug.pull_policy, v, is_pull_policy, "Always, IfNotPresent or Never")),
    field("config.linkerd.io/enable-gateway", NO, None, |s, v| set_bool(&mut s.gateway, v)),
    field(CLOSE_WAIT_TIMEOUT, NO, None, close_wait),
];

type Metric = Option<(&'static str, Shown)>;

const fn field(
    key: &'static str,
    inherited: bool,
    metric: Metric,
    set: fn(&mut Settings, &str) -> Result<(), Complaint>,
) -> Entry {
    Entry { key, inherited, metric, set: Set::Field(set) }
}

const fn elsewhere(key: &'static str, inherited: bool, metric: Metric) -> Entry {
    Entry { key, inherited, metric, set: Set::Elsewhere }
}

const fn free(label: &'static str) -> Metric {
    Some((label, Shown::Presence))
}

const fn choice(label: &'static str, choices: &'static [&'static str]) -> Metric {
    Some((label, Shown::Choice(choices)))
}

const fn boolean(label: &'static str) -> Metric {
    choice(label, BOOLEANS)
}

/// Reads a boolean in the spellings of Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    BOOLEANS.iter().position(|spelling| *spelling == text).map(|position| position < BOOLEANS.len() / 2)
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => None,
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

fn id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| (-1..=MAX_ID).contains(id))
}

fn is_pull_policy(text: &str) -> bool {
    image::PULL_POLICIES.contains(&text)
}

fn is_one_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control())
}

fn set<T>(slot: &mut T, value: Option<T>, expected: &'static str) -> Result<(), Complaint> {
    *slot = value.ok_or(Complaint::Ignored(expected))?;
    Ok(())
}

fn set_bool(slot: &mut bool, text: &str) -> Result<(), Complaint> {
    set(slot, parse_bool(text), "true or false")
}

/// Sets a text that must be valid, and of which an empty one means the default.
fn unless_empty(
    slot: &mut String,
    text: &str,
    is_valid: fn(&str) -> bool,
    expected: &'static str,
) -> Result<(), Complaint> {
    if text.is_empty() { Ok(()) } else { set(slot, Some(text.to_owned()).filter(|text| is_valid(text)), expected) }
}

fn dropped(items: Vec<String>, expected: &'static str) -> Result<(), Complaint> {
    if items.is_empty() { Ok(()) } else { Err(Complaint::Dropped(items, expected)) }
}

fn port_list(slot: &mut PortList, text: &str) -> Result<(), Complaint> {
    let (list, bad) = PortList::parse(text);
    *slot = list;
    dropped(bad, PORTS)
}

fn pod_inbound_ports(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    if text.trim().is_empty() { Ok(()) } else { port_list(settings.pod_inbound_ports.get_or_insert_default(), text) }
}

/// The proxy does not read these: they stay as written, for the policy controller.
fn require_identity_ports(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.require_identity_ports = text.to_owned();
    if PortList::parse(text).1.is_empty() { Ok(()) } else { Err(Complaint::Unused("a list of ports")) }
}

fn skip_subnets(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    let (networks, bad) = settings::networks(text);
    settings.skip_subnets = networks;
    dropped(bad, "a network such as 10.0.0.0/8")
}

fn quantity(slot: &mut String, text: &str) -> Result<(), Complaint> {
    set(slot, settings::quantity(text).map(|_| text.to_owned()), QUANTITY)
}

fn cores(slot: &mut String, text: &str) -> Result<u64, Complaint> {
    quantity(slot, text)?;
    Ok(settings::quantity(text).unwrap_or_default().div_ceil(1000))
}

fn cpu_request(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.min_workers = cores(&mut settings.resources.cpu.request, text)?.max(1);
    Ok(())
}

fn cpu_limit(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.max_workers = Some(cores(&mut settings.resources.cpu.limit, text)?).filter(|max| *max > 0);
    Ok(())
}

fn cpu_ratio_limit(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    let ratio = text.parse().ok().filter(|ratio| *ratio > 0.0 && *ratio < 1.0);
    set(&mut settings.max_cpu_ratio, ratio.map(Some), "a ratio above 0 and below 1")
}

fn log_http_headers(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.log_http_headers = settings::log_http_headers(text).ok_or(Complaint::Fatal("off or insecure"))?;
    Ok(())
}

fn log_format(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    unless_empty(&mut settings.log_format, text, is_one_line, "plain or json")?;
    let is_known = ["", "plain", "json"].contains(&text.to_ascii_lowercase().as_str());
    if is_known { Ok(()) } else { Err(Complaint::Unused("plain or json")) }
}

fn access_log(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.access_log = text.to_owned();
    if ["", "apache", "json"].contains(&text) { Ok(()) } else { Err(Complaint::Unused("apache or json")) }
}

fn default_inbound_policy(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    let policy = Some(text).filter(|text| DEFAULT_POLICIES.contains(text)).map(str::to_owned);
    let expected =
        "deny, audit, all-authenticated, all-unauthenticated, cluster-authenticated or cluster-unauthenticated";
    set(&mut settings.default_inbound_policy, policy, expected)
}

fn timeout(slot: &mut String, text: &str, unit: Unit) -> Result<(), Complaint> {
    *slot = timeouts::in_unit(text, unit).map_err(|error| Complaint::Ignored(error.expected()))?;
    Ok(())
}

/// A connect timeout of zero would fail every connection.
fn connect_timeout(slot: &mut String, text: &str) -> Result<(), Complaint> {
    match timeouts::whole(text, Unit::Millis) {
        Ok(0) => Err(Complaint::Ignored("a duration of at least 1ms, such as 300ms or 1m30s")),
        _ => timeout(slot, text, Unit::Millis),
    }
}

fn close_wait(settings: &mut Settings, text: &str) -> Result<(), Complaint> {
    settings.close_wait_seconds =
        timeouts::whole(text, Unit::Seconds).map_err(|error| Complaint::Ignored(error.expected()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_is_in_the_catalogue_once_and_every_metric_too() {
        let keys: BTreeSet<_> = CATALOGUE.iter().map(|entry| entry.key).collect();
        assert_eq!(keys.len(), CATALOGUE.len());
        let labels: Vec<_> = CATALOGUE.iter().filter_map(|entry| entry.metric).map(|(label, _)| label).collect();
        assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len());
        assert_eq!(labels.len(), 40);
    }

    // Acceptance case 28.
    #[test]
    fn only_these_annotations_stay_out_of_inheritance() {
        let own: Vec<_> = CATALOGUE.iter().filter(|entry| !entry.inherited).map(|entry| entry.key).collect();
        assert_eq!(
            own,
            [
                "config.linkerd.io/proxy-cpu-ratio-limit",
                "config.beta.linkerd.io/proxy-enable-native-sidecar",
                "config.linkerd.io/debug-image",
                "config.linkerd.io/debug-image-version",
                "config.linkerd.io/debug-image-pull-policy",
                "config.linkerd.io/enable-gateway",
                "config.linkerd.io/close-wait-timeout",
            ]
        );
    }

    #[test]
    fn booleans_are_those_of_go() {
        for spelling in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(parse_bool(spelling), Some(true));
        }
        for spelling in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(parse_bool(spelling), Some(false));
        }
        for bad in ["", "9", "yes", "tRUE"] {
            assert_eq!(parse_bool(bad), None);
        }
    }
}
