//! The environment of the proxy, in the order that its contract gives.
//!
//! `$(X)` in a value is expanded by the kubelet, from variables that come earlier in the list.

use crate::core::{
    additional_env::EnvVar,
    config::Config,
    ports::PortList,
    settings::Settings,
    values::{Tracing, Values},
};
use linkerd_k8s::names::PROXY_CONTAINER;
use serde_json::{Value, json};

/// Directory of the proxy's key and certificate request.
pub const END_ENTITY_DIR: &str = "/var/run/linkerd/identity/end-entity";
/// Directory of the token that is bound to the identity service.
pub const TOKEN_DIR: &str = "/var/run/secrets/tokens";
/// Name of that token's file.
pub const TOKEN_FILE: &str = "linkerd-identity-token";
/// Directory of the pod's labels.
pub const PODINFO_DIR: &str = "/var/run/linkerd/podinfo";

/// What the environment is made of.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What all pods have in common.
    pub config: &'a Config,
    /// Settings of this pod.
    pub settings: &'a Settings,
    /// Ports whose policy is asked for at start.
    pub inbound_ports: &'a PortList,
    /// Ports without protocol detection.
    pub opaque_ports: &'a PortList,
}

/// A list of environment variables that grows in order.
#[derive(Default)]
struct Env(Vec<Value>);

impl Env {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(json!({ "name": name, "value": value.into() }));
    }

    fn set_filled(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.set(name, value);
        }
    }

    fn set_if(&mut self, condition: bool, name: &str, value: &str) {
        if condition {
            self.set(name, value);
        }
    }

    fn field(&mut self, name: &str, path: &str) {
        self.0.push(json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } }));
    }

    fn extend(&mut self, variables: &[EnvVar]) {
        self.0.extend(variables.iter().filter_map(|variable| serde_json::to_value(variable).ok()));
    }
}

/// The proxy's environment.
pub fn proxy(inputs: &Inputs<'_>) -> Vec<Value> {
    let mut env = Env::default();
    pod_fields(&mut env);
    workers(&mut env, inputs);
    ports_and_logs(&mut env, inputs.settings);
    control_plane(&mut env, inputs);
    timeouts(&mut env, inputs.settings);
    listeners(&mut env, inputs);
    modes(&mut env, inputs);
    sockets(&mut env, inputs.settings);
    if inputs.config.values.proxy.tracing.enabled {
        tracing(&mut env, inputs);
    }
    for tuning in &inputs.config.checked.tuning {
        env.set(&tuning.name, &tuning.value);
    }
    env.set_filled("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", &inputs.opaque_ports.to_string());
    let context = r#"{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)", "pod":"$(_pod_name)"}"#;
    env.set("LINKERD2_PROXY_DESTINATION_CONTEXT", format!("{context}\n"));
    identity(&mut env, inputs);
    env.set_filled("LINKERD2_PROXY_ACCESS_LOG", &inputs.settings.access_log);
    env.set_filled("LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD", &inputs.settings.timeouts.shutdown_grace);
    env.extend(&inputs.settings.additional_env);
    env.extend(&inputs.config.values.proxy.experimental_env);
    env.0
}

fn pod_fields(env: &mut Env) {
    env.field("_pod_name", "metadata.name");
    env.field("_pod_ns", "metadata.namespace");
    env.field("_pod_uid", "metadata.uid");
    env.field("_pod_ip", "status.podIP");
    env.field("_pod_nodeName", "spec.nodeName");
    env.set("_pod_containerName", PROXY_CONTAINER);
}

fn workers(env: &mut Env, inputs: &Inputs<'_>) {
    let settings = inputs.settings;
    let cores = u64::try_from(inputs.config.values.proxy.cores).unwrap_or_default();
    let minimum = if cores > 0 { cores } else { settings.min_workers };
    env.set("LINKERD2_PROXY_CORES", minimum.to_string());
    env.set("LINKERD2_PROXY_CORES_MIN", minimum.to_string());
    if cores > 0 {
        return;
    }
    if let Some(maximum) = settings.max_workers {
        env.set("LINKERD2_PROXY_CORES_MAX", maximum.to_string());
    }
    if let Some(ratio) = settings.max_cpu_ratio {
        env.set("LINKERD2_PROXY_CORES_MAX_RATIO", shortest(ratio));
    }
}

/// The shortest decimal that reads back the same; below 0.0001 with a two-digit exponent.
fn shortest(ratio: f64) -> String {
    if ratio >= 1e-4 {
        return ratio.to_string();
    }
    let text = format!("{ratio:e}");
    match text.split_once("e-") {
        Some((mantissa, exponent)) => format!("{mantissa}e-{exponent:0>2}"),
        None => text,
    }
}

fn ports_and_logs(env: &mut Env, settings: &Settings) {
    env.set_filled("LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY", settings.require_identity_ports.trim());
    env.set("LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED", settings.shutdown_endpoint.to_string());
    let headers = if settings.log_http_headers { "" } else { ",[{headers}]=off,[{request}]=off" };
    env.set("LINKERD2_PROXY_LOG", format!("{}{headers}", settings.log_level));
    env.set("LINKERD2_PROXY_LOG_FORMAT", &settings.log_format);
}

fn control_plane(env: &mut Env, inputs: &Inputs<'_>) {
    let config = inputs.config;
    let address = |service, port| control_plane_address(config, service, port);
    let networks = &config.checked.cluster_networks;
    env.set("LINKERD2_PROXY_DESTINATION_SVC_ADDR", address("linkerd-dst-headless", 8086));
    env.set_filled("LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS", networks);
    env.set("LINKERD2_PROXY_POLICY_SVC_ADDR", address("linkerd-policy", 8090));
    env.set("LINKERD2_PROXY_POLICY_WORKLOAD", "{\"ns\":\"$(_pod_ns)\", \"pod\":\"$(_pod_name)\"}\n");
    env.set("LINKERD2_PROXY_INBOUND_DEFAULT_POLICY", &inputs.settings.default_inbound_policy);
    env.set_filled("LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS", networks);
    let streams = &config.checked.streams;
    env.set("LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT", &streams.initial_timeout);
    env.set("LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT", &streams.idle_timeout);
    env.set("LINKERD2_PROXY_CONTROL_STREAM_LIFETIME", &streams.lifetime);
}

/// Address of a control-plane service. The final dot keeps the resolver from its search list.
fn control_plane_address(config: &Config, service: &str, port: u16) -> String {
    format!("{service}.{}.svc.{}.:{port}", config.control_plane_namespace, config.values.cluster_domain)
}

fn timeouts(env: &mut Env, settings: &Settings) {
    let timeouts = &settings.timeouts;
    env.set_filled("LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT", &timeouts.inbound_connect);
    env.set_filled("LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT", &timeouts.outbound_connect);
    env.set_filled("LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT", &timeouts.outbound_discovery);
    env.set_filled("LINKERD2_PROXY_INBOUND_DISCOVERY_IDLE_TIMEOUT", &timeouts.inbound_discovery);
    env.set_if(settings.outbound_detect_forever, "LINKERD2_PROXY_OUTBOUND_DETECT_TIMEOUT", "365d");
    env.set_if(settings.inbound_detect_forever, "LINKERD2_PROXY_INBOUND_DETECT_TIMEOUT", "365d");
}

fn listeners(env: &mut Env, inputs: &Inputs<'_>) {
    let settings = inputs.settings;
    let is_ipv4_only = inputs.config.values.disable_ipv6;
    let any = if is_ipv4_only { "0.0.0.0" } else { "[::]" };
    let outbound = format!("127.0.0.1:{}", settings.outbound_port);
    let outbound_all = match is_ipv4_only {
        true => outbound.clone(),
        false => format!("{outbound},[::1]:{}", settings.outbound_port),
    };
    env.set("LINKERD2_PROXY_CONTROL_LISTEN_ADDR", format!("{any}:{}", settings.control_port));
    env.set("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", format!("{any}:{}", settings.admin_port));
    env.set("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR", outbound);
    env.set("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS", outbound_all);
    env.set("LINKERD2_PROXY_INBOUND_LISTEN_ADDR", format!("{any}:{}", settings.inbound_port));
    env.field("LINKERD2_PROXY_INBOUND_IPS", "status.podIPs");
    env.set("LINKERD2_PROXY_INBOUND_PORTS", inputs.inbound_ports.to_string());
}

fn modes(env: &mut Env, inputs: &Inputs<'_>) {
    let settings = inputs.settings;
    let cluster = format!("svc.{}.", inputs.config.values.cluster_domain);
    env.set_if(settings.gateway, "LINKERD2_PROXY_INBOUND_GATEWAY_SUFFIXES", &cluster);
    env.set_if(settings.ingress, "LINKERD2_PROXY_INGRESS_MODE", "true");
    let profiles = if settings.external_profiles { "." } else { &cluster };
    env.set("LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES", profiles);
}

fn sockets(env: &mut Env, settings: &Settings) {
    env.set("LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10000ms");
    env.set("LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE", "10000ms");
    env.set("LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT", "30s");
    env.set("LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT", "30s");
    env.set("LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS", settings.hostname_labels.to_string());
}

fn tracing(env: &mut Env, inputs: &Inputs<'_>) {
    let Tracing { protocol, trace_service_name, collector, .. } = &inputs.config.values.proxy.tracing;
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    env.set("LINKERD2_PROXY_TRACE_ATTRIBUTES_PATH", format!("{PODINFO_DIR}/labels"));
    env.set("LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH", format!("{PODINFO_DIR}/annotations"));
    env.set("LINKERD2_PROXY_TRACE_PROTOCOL", or(protocol, "opentelemetry"));
    env.set("LINKERD2_PROXY_TRACE_SERVICE_NAME", or(trace_service_name, "linkerd-proxy"));
    env.set("LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR", &collector.endpoint);
    let peer = &collector.mesh_identity;
    let name = identity_name(inputs.config, &peer.service_account_name, &peer.namespace);
    env.set("LINKERD2_PROXY_TRACE_COLLECTOR_SVC_NAME", name);
    let attributes: String =
        inputs.settings.trace_attributes.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    env.set_filled("LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES", &attributes);
}

fn identity(env: &mut Env, inputs: &Inputs<'_>) {
    let config = inputs.config;
    let namespace = config.control_plane_namespace.as_str();
    env.field("_pod_sa", "spec.serviceAccountName");
    env.set("_l5d_ns", namespace);
    env.set("_l5d_trustdomain", config.values.trust_domain());
    env.set("LINKERD2_PROXY_IDENTITY_DIR", END_ENTITY_DIR);
    env.set("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", format!("{}\n", config.anchors.pem()));
    env.set("LINKERD2_PROXY_IDENTITY_TOKEN_FILE", token_file(&config.values));
    env.set("LINKERD2_PROXY_IDENTITY_SVC_ADDR", control_plane_address(config, "linkerd-identity-headless", 8080));
    env.set("LINKERD2_PROXY_IDENTITY_LOCAL_NAME", identity_name(config, "$(_pod_sa)", "$(_pod_ns)"));
    env.set("LINKERD2_PROXY_IDENTITY_SVC_NAME", identity_name(config, "linkerd-identity", namespace));
    env.set("LINKERD2_PROXY_DESTINATION_SVC_NAME", identity_name(config, "linkerd-destination", namespace));
    env.set("LINKERD2_PROXY_POLICY_SVC_NAME", identity_name(config, "linkerd-destination", namespace));
}

fn token_file(values: &Values) -> String {
    if values.identity.service_account_token_projection {
        format!("{TOKEN_DIR}/{TOKEN_FILE}")
    } else {
        format!("{}/token", crate::core::pod::SERVICE_ACCOUNT_MOUNT)
    }
}

/// The mesh identity of a service account.
pub fn identity_name(config: &Config, service_account: &str, namespace: &str) -> String {
    linkerd_k8s::Identity::service_account(
        service_account,
        namespace,
        &config.control_plane_namespace,
        config.values.trust_domain(),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::shortest;

    // Acceptance case 35.
    #[test]
    fn a_ratio_has_its_shortest_form() {
        for (ratio, text) in [(0.10, "0.1"), (0.000_001, "1e-06"), (0.5, "0.5"), (1.0, "1"), (0.000_12, "0.00012")] {
            assert_eq!(shortest(ratio), text);
        }
    }
}
