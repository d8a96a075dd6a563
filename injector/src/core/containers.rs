//! The containers that injection adds.

use crate::core::{
    config::Config,
    env::{self, Inputs},
    pod::{Capabilities, PodView},
    settings::{Debug, Settings},
    values::Resources,
    volumes,
};
use linkerd_k8s::names::{DEBUG_CONTAINER, INIT_CONTAINER, PROXY_CONTAINER, VALIDATOR_CONTAINER};
use serde_json::{Map, Value, json};

const ON_ERROR: &str = "FallbackToLogsOnError";
/// User and group when `linkerd-init` must not be root.
const NOBODY: i64 = 65534;

/// The init container that redirects the pod's traffic to the proxy.
pub fn init(config: &Config, settings: &Settings, pod: &PodView) -> Value {
    let mut container = json!({
        "name": INIT_CONTAINER,
        "image": image(settings),
        "imagePullPolicy": settings.pull_policy,
        "command": ["/usr/lib/linkerd/linkerd2-proxy-init"],
        "args": init_args(config, settings),
        "securityContext": init_security(config, settings, pod),
        "terminationMessagePolicy": ON_ERROR,
        "volumeMounts": volumes::init_mounts(config, pod),
    });
    add_resources(&mut container, &settings.resources);
    container
}

fn init_args(config: &Config, settings: &Settings) -> Vec<String> {
    let mut args = Vec::new();
    let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
    if config.values.proxy_init.iptables_mode == "nft" {
        flag("--firewall-bin-path", "iptables-nft".into());
        flag("--firewall-save-bin-path", "iptables-nft-save".into());
    }
    if config.values.disable_ipv6 {
        args.push("--ipv6=false".into());
    }
    let mut flag = |name: &str, value: String| {
        if !value.is_empty() {
            args.extend([name.to_owned(), value]);
        }
    };
    let gid = settings.gid.map(|gid| gid.to_string()).unwrap_or_default();
    let close_wait = Some(settings.close_wait_seconds).filter(|seconds| *seconds > 0);
    let mut ignored = format!("{},{}", settings.control_port, settings.admin_port);
    if !settings.skip_inbound_ports.is_empty() {
        ignored = format!("{ignored},{}", settings.skip_inbound_ports);
    }
    flag("--incoming-proxy-port", settings.inbound_port.to_string());
    flag("--outgoing-proxy-port", settings.outbound_port.to_string());
    flag("--proxy-uid", settings.uid.to_string());
    flag("--proxy-gid", gid);
    flag("--inbound-ports-to-ignore", ignored);
    flag("--outbound-ports-to-ignore", settings.skip_outbound_ports.to_string());
    flag("--timeout-close-wait-secs", close_wait.map(|seconds| seconds.to_string()).unwrap_or_default());
    flag("--log-format", config.values.proxy_init.log_format.clone());
    flag("--log-level", config.values.proxy_init.log_level.clone());
    flag("--subnets-to-ignore", settings.skip_subnets.join(","));
    args
}

fn init_security(config: &Config, settings: &Settings, pod: &PodView) -> Value {
    let init = &config.values.proxy_init;
    let is_privileged = settings.close_wait_seconds > 0 || init.privileged;
    let declared = pod.capabilities().cloned().or_else(|| from_values(init.capabilities.as_ref())).unwrap_or_default();
    let mut needed = vec!["NET_ADMIN".to_owned(), "NET_RAW".to_owned()];
    let dropped: Vec<_> = declared.drop.into_iter().filter(|capability| !needed.contains(capability)).collect();
    for capability in declared.add {
        if !needed.contains(&capability) {
            needed.push(capability);
        }
    }
    let non_root = |id: i64| if id == 0 { NOBODY } else { id };
    let (user, group) = match init.run_as_root {
        true => (0, 0),
        false => (non_root(init.run_as_user), non_root(init.run_as_group)),
    };
    json!({
        "allowPrivilegeEscalation": is_privileged,
        "privileged": is_privileged,
        "capabilities": capabilities(&Capabilities { add: needed, drop: dropped }),
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": !init.run_as_root,
        "runAsUser": user,
        "runAsGroup": group,
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// The init container that checks that the CNI plug-in redirects the pod's traffic.
pub fn validator(config: &Config, settings: &Settings) -> Value {
    let validator = &config.values.network_validator;
    let is_ipv4_only = config.values.disable_ipv6;
    let or = |text: &str, default: String| if text.is_empty() { default } else { text.to_owned() };
    let (any, outside) = if is_ipv4_only { ("0.0.0.0", "1.1.1.1") } else { ("[::]", "[fd00::1]") };
    // The plug-in redirects to the port of the values, whatever the pod's annotations say.
    let listen = format!("{any}:{}", config.values.proxy.ports.outbound);
    let mut container = json!({
        "name": VALIDATOR_CONTAINER,
        "image": image(settings),
        "imagePullPolicy": settings.pull_policy,
        "command": ["/usr/lib/linkerd/linkerd2-network-validator"],
        "args": [
            "--log-format", validator.log_format,
            "--log-level", validator.log_level,
            "--connect-addr", or(&validator.connect_addr, format!("{outside}:20001")),
            "--listen-addr", or(&validator.listen_addr, listen),
            "--timeout", validator.timeout,
        ],
        "terminationMessagePolicy": ON_ERROR,
    });
    if !validator.security_context.is_empty() {
        container["securityContext"] = Value::Object(validator.security_context.clone());
    }
    add_resources(&mut container, &settings.resources);
    container
}

/// The proxy.
pub fn proxy(inputs: &Inputs<'_>, pod: &PodView) -> Value {
    let (config, settings) = (inputs.config, inputs.settings);
    let values = &config.values.proxy;
    let mut container = json!({
        "name": PROXY_CONTAINER,
        "image": image(settings),
        "imagePullPolicy": settings.pull_policy,
        "env": env::proxy(inputs),
        "ports": [
            { "name": "linkerd-proxy", "containerPort": settings.inbound_port },
            { "name": "linkerd-admin", "containerPort": settings.admin_port },
        ],
        "livenessProbe": {
            "httpGet": { "path": "/live", "port": settings.admin_port },
            "initialDelaySeconds": values.liveness_probe.initial_delay_seconds,
            "timeoutSeconds": values.liveness_probe.timeout_seconds,
        },
        "readinessProbe": {
            "httpGet": { "path": "/ready", "port": settings.admin_port },
            "initialDelaySeconds": values.readiness_probe.initial_delay_seconds,
            "timeoutSeconds": values.readiness_probe.timeout_seconds,
        },
        "securityContext": proxy_security(config, settings, pod),
        "terminationMessagePolicy": ON_ERROR,
        "volumeMounts": volumes::proxy_mounts(config, pod),
    });
    add_resources(&mut container, &settings.resources);
    if settings.native_sidecar {
        run_beside(&mut container, config, settings);
    } else {
        run_among(&mut container, settings);
    }
    container
}

/// A native sidecar starts before the application's containers and stops after them by itself.
fn run_beside(container: &mut Value, config: &Config, settings: &Settings) {
    container["restartPolicy"] = json!("Always");
    if settings.await_proxy {
        let probe = &config.values.proxy.startup_probe;
        container["startupProbe"] = json!({
            "httpGet": { "path": "/ready", "port": settings.admin_port },
            "initialDelaySeconds": probe.initial_delay_seconds,
            "periodSeconds": probe.period_seconds,
            "failureThreshold": probe.failure_threshold,
        });
    }
}

/// An ordinary container holds back those after it, and its own end, by hooks.
fn run_among(container: &mut Value, settings: &Settings) {
    let mut lifecycle = Map::new();
    if settings.await_proxy {
        let port = format!("--port={}", settings.admin_port);
        let command = json!(["/usr/lib/linkerd/linkerd-await", "--timeout=2m", port]);
        lifecycle.insert("postStart".into(), json!({ "exec": { "command": command } }));
    }
    if settings.wait_before_exit_seconds > 0 {
        let command = json!(["/bin/sleep", settings.wait_before_exit_seconds.to_string()]);
        lifecycle.insert("preStop".into(), json!({ "exec": { "command": command } }));
    }
    if !lifecycle.is_empty() {
        container["lifecycle"] = Value::Object(lifecycle);
    }
}

fn proxy_security(config: &Config, settings: &Settings, pod: &PodView) -> Value {
    let values = &config.values.proxy;
    if !values.security_context.is_empty() {
        return Value::Object(values.security_context.clone());
    }
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": settings.uid,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    if let Some(gid) = settings.gid {
        context["runAsGroup"] = json!(gid);
    }
    let declared = pod.capabilities().cloned().or_else(|| from_values(values.capabilities.as_ref()));
    if let Some(declared) = declared.filter(|declared| *declared != Capabilities::default()) {
        context["capabilities"] = capabilities(&declared);
    }
    context
}

/// The debug container.
pub fn debug(debug: &Debug) -> Value {
    let probe = json!({ "exec": { "command": ["true"] } });
    json!({
        "name": DEBUG_CONTAINER,
        "image": format!("{}:{}", debug.image, debug.version),
        "imagePullPolicy": debug.pull_policy,
        "terminationMessagePolicy": ON_ERROR,
        "livenessProbe": probe,
        "readinessProbe": probe,
    })
}

fn image(settings: &Settings) -> String {
    format!("{}:{}", settings.image, settings.version)
}

fn from_values(declared: Option<&Map<String, Value>>) -> Option<Capabilities> {
    serde_json::from_value(Value::Object(declared?.clone())).ok()
}

fn capabilities(capabilities: &Capabilities) -> Value {
    let lists = [("add", &capabilities.add), ("drop", &capabilities.drop)];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key.to_owned(), json!(list))).collect()
}

/// Adds requests and limits, without empty ones.
fn add_resources(container: &mut Value, resources: &Resources) {
    let all =
        [("cpu", &resources.cpu), ("memory", &resources.memory), ("ephemeral-storage", &resources.ephemeral_storage)];
    let mut bounds = Map::new();
    for (bound, pick) in [("limits", true), ("requests", false)] {
        let filled: Map<_, _> = all
            .iter()
            .map(|(name, bounds)| (*name, if pick { &bounds.limit } else { &bounds.request }))
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name.to_owned(), json!(text)))
            .collect();
        if !filled.is_empty() {
            bounds.insert(bound.to_owned(), Value::Object(filled));
        }
    }
    if !bounds.is_empty() {
        container["resources"] = Value::Object(bounds);
    }
}
