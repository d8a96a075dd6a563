//! The install values, as far as injection reads them, with the defaults of the chart.
//!
//! Read from YAML that holds the whole merged values, as the `linkerd-config` ConfigMap does. Keys
//! that are not read here are tolerated, `null` means the default, and a legacy top-level `global`
//! map is flattened.

use crate::core::additional_env::EnvVar;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Ports on which protocol detection is off unless configured: SMTP, MySQL, PostgreSQL, Redis, …
pub const DEFAULT_OPAQUE_PORTS: &str = "25,587,3306,4444,5432,6379,9300,11211";

/// The text is no set of values.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// Not YAML.
    #[error("the values are not YAML: {0}")]
    Yaml(String),
    /// YAML of another shape.
    #[error("the values have a field of the wrong type: {0}")]
    Shape(#[from] serde_json::Error),
}

impl Values {
    /// Reads values from YAML; an empty text gives the defaults.
    ///
    /// # Errors
    /// The text is not YAML, or a known field has a wrong type.
    pub fn from_yaml(text: &str) -> Result<Self, ValuesError> {
        let tree = if text.trim().is_empty() { Value::Null } else { serde_saphyr::from_str(text).map_err(not_yaml)? };
        Ok(Self::from_tree(tree)?)
    }

    /// Reads values from an untyped tree.
    ///
    /// # Errors
    /// A known field has a wrong type.
    pub fn from_tree(mut tree: Value) -> Result<Self, serde_json::Error> {
        flatten_global(&mut tree);
        drop_nulls(&mut tree);
        if tree.is_null() { Ok(Self::default()) } else { Self::deserialize(tree) }
    }

    /// Trust domain of workload identities: the configured one, else the cluster domain.
    pub fn trust_domain(&self) -> &str {
        if self.identity_trust_domain.is_empty() { &self.cluster_domain } else { &self.identity_trust_domain }
    }
}

/// Parsers draw pictures of the text; one line without them is enough.
fn not_yaml(error: serde_saphyr::Error) -> ValuesError {
    ValuesError::Yaml(error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// Old charts nested most values under `global`.
fn flatten_global(tree: &mut Value) {
    let Some(root) = tree.as_object_mut() else { return };
    if let Some(Value::Object(global)) = root.remove("global") {
        for (key, value) in global {
            match root.get_mut(&key) {
                Some(Value::Object(present)) => merge_absent(present, value),
                Some(_) => {}
                None => drop(root.insert(key, value)),
            }
        }
    }
}

fn merge_absent(target: &mut Map<String, Value>, source: Value) {
    let Value::Object(source) = source else { return };
    for (key, value) in source {
        match target.get_mut(&key) {
            Some(Value::Object(present)) => merge_absent(present, value),
            Some(_) => {}
            None => drop(target.insert(key, value)),
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A text; numbers and booleans are read as written, since `--set` types them by their looks.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        other => Err(D::Error::custom(format!("expected a text, found {other}"))),
    }
}

/// An integer; a text of digits is read as one, and an empty text as zero.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        // Values that went through a JSON number type may come back as `4191.0`.
        Value::Number(number) => number.as_i64().or_else(|| {
            number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15).map(|float| float as i64)
        }),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| D::Error::custom(format!("expected an integer, found {value}")))
}

/// Declares a struct of values: camel-case keys, a default for every field.
macro_rules! values {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

values! {
    /// Install values.
    Values {
        /// DNS suffix of the cluster.
        #[serde(deserialize_with = "text")]
        cluster_domain: String = "cluster.local".into(),
        /// Networks, comma-joined, whose addresses are looked up and count as inside the cluster.
        #[serde(deserialize_with = "text")]
        cluster_networks: String = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8".into(),
        /// Trust anchors in PEM. The webhook reads them from a file of their own instead.
        #[serde(rename = "identityTrustAnchorsPEM", deserialize_with = "text")]
        identity_trust_anchors_pem: String = String::new(),
        /// Trust domain, empty for the cluster domain.
        #[serde(deserialize_with = "text")]
        identity_trust_domain: String = String::new(),
        /// Pull policy of all images.
        #[serde(deserialize_with = "text")]
        image_pull_policy: String = "IfNotPresent".into(),
        /// Version of the control plane, the default tag of all images.
        #[serde(deserialize_with = "text")]
        linkerd_version: String = crate::VERSION.into(),
        /// Whether proxies listen on IPv4 only.
        #[serde(rename = "disableIPv6")]
        disable_ipv6: bool = true,
        /// Whether the CNI plug-in redirects traffic instead of an init container.
        cni_enabled: bool = false,
        /// The identity service.
        identity: Identity = Identity::default(),
        /// The proxy.
        proxy: Proxy = Proxy::default(),
        /// The init container that redirects traffic.
        proxy_init: ProxyInit = ProxyInit::default(),
        /// The init container that checks redirection by the CNI plug-in.
        network_validator: NetworkValidator = NetworkValidator::default(),
        /// The debug container.
        debug_container: DebugContainer = DebugContainer::default(),
    }
}

values! {
    /// The identity service.
    Identity {
        /// Whether proxies get a token of their own, bound to the identity service.
        service_account_token_projection: bool = true,
    }
}

values! {
    /// The proxy.
    Proxy {
        /// Image of the proxy and the init containers.
        image: Image = Image { name: "cr.l5d.io/linkerd/proxy".into(), ..Image::default() },
        /// Log filter.
        #[serde(deserialize_with = "text")]
        log_level: String = "warn,linkerd=info,hickory=error".into(),
        /// `plain` or `json`.
        #[serde(deserialize_with = "text")]
        log_format: String = "plain".into(),
        /// `off` or `insecure`: whether header values may appear in logs.
        #[serde(rename = "logHTTPHeaders", deserialize_with = "text")]
        log_http_headers: String = "off".into(),
        /// Listening ports.
        ports: Ports = Ports::default(),
        /// User of the proxy's process.
        #[serde(deserialize_with = "integer")]
        uid: i64 = 2102,
        /// Group of the proxy's process; negative for none.
        #[serde(deserialize_with = "integer")]
        gid: i64 = -1,
        /// Security context that replaces the default one when not empty.
        security_context: Map<String, Value> = Map::new(),
        /// Capabilities, unless the application's first container declares some.
        capabilities: Option<Map<String, Value>> = None,
        /// Requests and limits.
        resources: Resources = Resources::default(),
        /// Worker threads; deprecated, wins over `runtime.workers` when above zero.
        #[serde(deserialize_with = "integer")]
        cores: i64 = 0,
        /// Worker threads.
        runtime: Runtime = Runtime::default(),
        /// Whether the application's containers wait for the proxy.
        r#await: bool = true,
        /// Whether the proxy is an init container that keeps running.
        native_sidecar: bool = true,
        /// Seconds to sleep before the proxy is stopped, unless it is a native sidecar.
        #[serde(deserialize_with = "integer")]
        wait_before_exit_seconds: i64 = 0,
        /// How long a stopped proxy may drain; empty for the proxy's own default.
        #[serde(deserialize_with = "text")]
        shutdown_grace_period: String = String::new(),
        /// Whether the proxy can be shut down over HTTP from its own pod.
        enable_shutdown_endpoint: bool = false,
        /// Policy of inbound ports without a Server.
        #[serde(deserialize_with = "text")]
        default_inbound_policy: String = "all-unauthenticated".into(),
        /// Ports without protocol detection.
        #[serde(deserialize_with = "text")]
        opaque_ports: String = DEFAULT_OPAQUE_PORTS.into(),
        /// Inbound ports on which clients need an identity.
        #[serde(deserialize_with = "text")]
        require_identity_on_inbound_ports: String = String::new(),
        /// Connect timeout towards other pods.
        #[serde(deserialize_with = "text")]
        outbound_connect_timeout: String = "1000ms".into(),
        /// Connect timeout towards the application.
        #[serde(deserialize_with = "text")]
        inbound_connect_timeout: String = "100ms".into(),
        /// How long unused outbound discovery results are kept.
        #[serde(deserialize_with = "text")]
        outbound_discovery_cache_unused_timeout: String = "5s".into(),
        /// How long unused inbound discovery results are kept.
        #[serde(deserialize_with = "text")]
        inbound_discovery_cache_unused_timeout: String = "90s".into(),
        /// Whether outbound protocol detection waits for ever.
        disable_outbound_protocol_detect_timeout: bool = false,
        /// Whether inbound protocol detection waits for ever.
        disable_inbound_protocol_detect_timeout: bool = false,
        /// Whether service profiles apply to names outside the cluster.
        enable_external_profiles: bool = false,
        /// `apache`, `json` or empty.
        #[serde(deserialize_with = "text")]
        access_log: String = String::new(),
        /// Whether the proxy forwards for other clusters.
        is_gateway: bool = false,
        /// Whether the proxy routes by the `l5d-dst-override` header.
        is_ingress: bool = false,
        /// Tuning of the inbound side, one environment variable per leaf.
        inbound: Map<String, Value> = http2_keepalive(),
        /// Tuning of the outbound side.
        outbound: Map<String, Value> = http2_keepalive(),
        /// Streams to the control plane.
        control: Control = Control::default(),
        /// Metrics.
        metrics: Metrics = Metrics::default(),
        /// Tracing.
        tracing: Tracing = Tracing::default(),
        /// Further environment variables.
        additional_env: Vec<EnvVar> = Vec::new(),
        /// Further environment variables, after the others.
        experimental_env: Vec<EnvVar> = Vec::new(),
        /// Liveness probe.
        liveness_probe: Probe = Probe { initial_delay_seconds: 10, timeout_seconds: 1 },
        /// Readiness probe.
        readiness_probe: Probe = Probe { initial_delay_seconds: 2, timeout_seconds: 1 },
        /// Startup probe of a native sidecar.
        startup_probe: StartupProbe = StartupProbe::default(),
    }
}

fn http2_keepalive() -> Map<String, Value> {
    let http2 = json!({ "http2": { "keepAliveInterval": "10s", "keepAliveTimeout": "3s" } });
    Map::from_iter([("server".to_owned(), http2)])
}

values! {
    /// An image.
    Image {
        /// Name without tag.
        #[serde(deserialize_with = "text")]
        name: String = String::new(),
        /// Tag, empty for `linkerdVersion`.
        #[serde(deserialize_with = "text")]
        version: String = String::new(),
        /// Pull policy, empty for `imagePullPolicy`.
        #[serde(deserialize_with = "text")]
        pull_policy: String = String::new(),
    }
}

values! {
    /// Listening ports of the proxy.
    Ports {
        /// Admin HTTP server.
        #[serde(deserialize_with = "integer")]
        admin: i64 = 4191,
        /// Tap server.
        #[serde(deserialize_with = "integer")]
        control: i64 = 4190,
        /// Inbound traffic.
        #[serde(deserialize_with = "integer")]
        inbound: i64 = 4143,
        /// Outbound traffic.
        #[serde(deserialize_with = "integer")]
        outbound: i64 = 4140,
    }
}

values! {
    /// Requests and limits by resource.
    Resources {
        /// CPU.
        cpu: Bounds = Bounds::default(),
        /// Memory.
        memory: Bounds = Bounds::default(),
        /// Ephemeral storage.
        #[serde(rename = "ephemeral-storage")]
        ephemeral_storage: Bounds = Bounds::default(),
    }
}

values! {
    /// Request and limit of one resource; empty for none.
    Bounds {
        /// Limit.
        #[serde(deserialize_with = "text")]
        limit: String = String::new(),
        /// Request.
        #[serde(deserialize_with = "text")]
        request: String = String::new(),
    }
}

values! {
    /// The proxy's runtime.
    Runtime {
        /// Worker threads.
        workers: Workers = Workers::default(),
    }
}

values! {
    /// Worker threads.
    Workers {
        /// At least so many.
        #[serde(deserialize_with = "integer")]
        minimum: i64 = 1,
        /// At most so many; zero for no bound.
        #[serde(deserialize_with = "integer")]
        maximum: i64 = 0,
        /// At most this part of the node's cores; zero for no bound.
        #[serde(rename = "maximumCPURatio")]
        maximum_cpu_ratio: f64 = 0.0,
    }
}

values! {
    /// Streams to the control plane.
    Control {
        /// Their limits.
        streams: Streams = Streams::default(),
    }
}

values! {
    /// Limits of streams to the control plane.
    Streams {
        /// Until the first message.
        #[serde(deserialize_with = "text")]
        initial_timeout: String = "3s".into(),
        /// Between messages.
        #[serde(deserialize_with = "text")]
        idle_timeout: String = "5m".into(),
        /// In total.
        #[serde(deserialize_with = "text")]
        lifetime: String = "1h".into(),
    }
}

values! {
    /// Metrics of the proxy.
    Metrics {
        /// Whether outbound metrics have host names as labels.
        hostname_labels: bool = false,
    }
}

values! {
    /// Tracing of the proxy.
    Tracing {
        /// Whether spans are exported.
        enabled: bool = false,
        /// Protocol, empty for `opentelemetry`.
        #[serde(deserialize_with = "text")]
        protocol: String = "opentelemetry".into(),
        /// Value of the attribute `service.name`.
        #[serde(deserialize_with = "text")]
        trace_service_name: String = "linkerd-proxy".into(),
        /// Attributes of every span.
        labels: BTreeMap<String, String> = BTreeMap::from([
            ("k8s.container.name".into(), "$(_pod_containerName)".into()),
            ("k8s.pod.ip".into(), "$(_pod_ip)".into()),
            ("k8s.pod.uid".into(), "$(_pod_uid)".into()),
        ]),
        /// Where spans go.
        collector: Collector = Collector::default(),
    }
}

values! {
    /// The collector of spans.
    Collector {
        /// Address, `name:port`.
        #[serde(deserialize_with = "text")]
        endpoint: String = String::new(),
        /// Its identity in the mesh.
        mesh_identity: MeshIdentity = MeshIdentity::default(),
    }
}

values! {
    /// A service account as an identity.
    MeshIdentity {
        /// Name of the service account.
        #[serde(deserialize_with = "text")]
        service_account_name: String = String::new(),
        /// Namespace of the service account.
        #[serde(deserialize_with = "text")]
        namespace: String = String::new(),
    }
}

values! {
    /// Timing of a probe.
    Probe {
        /// Seconds before the first probe.
        #[serde(deserialize_with = "integer")]
        initial_delay_seconds: i64 = 0,
        /// Seconds until a probe fails.
        #[serde(deserialize_with = "integer")]
        timeout_seconds: i64 = 1,
    }
}

values! {
    /// Timing of the startup probe.
    StartupProbe {
        /// Seconds before the first probe.
        #[serde(deserialize_with = "integer")]
        initial_delay_seconds: i64 = 0,
        /// Seconds between probes.
        #[serde(deserialize_with = "integer")]
        period_seconds: i64 = 1,
        /// Failures until the container is restarted.
        #[serde(deserialize_with = "integer")]
        failure_threshold: i64 = 120,
    }
}

values! {
    /// The init container that redirects traffic.
    ProxyInit {
        /// `nft` or `legacy`.
        #[serde(deserialize_with = "text")]
        iptables_mode: String = "nft".into(),
        /// Inbound ports that bypass the proxy.
        #[serde(deserialize_with = "text")]
        ignore_inbound_ports: String = "4567,4568".into(),
        /// Outbound ports that bypass the proxy.
        #[serde(deserialize_with = "text")]
        ignore_outbound_ports: String = "4567,4568".into(),
        /// Networks whose inbound traffic bypasses the proxy.
        #[serde(deserialize_with = "text")]
        skip_subnets: String = String::new(),
        /// Seconds that half-closed connections are tracked; zero for the kernel's default.
        #[serde(deserialize_with = "integer")]
        close_wait_timeout_secs: i64 = 0,
        /// Whether the container is privileged.
        privileged: bool = false,
        /// Whether the container runs as root.
        run_as_root: bool = false,
        /// User, unless root.
        #[serde(deserialize_with = "integer")]
        run_as_user: i64 = 65534,
        /// Group, unless root.
        #[serde(deserialize_with = "integer")]
        run_as_group: i64 = 65534,
        /// Log level, empty for the program's default.
        #[serde(deserialize_with = "text")]
        log_level: String = String::new(),
        /// Log format, empty for the program's default.
        #[serde(deserialize_with = "text")]
        log_format: String = String::new(),
        /// Where iptables keeps its lock.
        xt_mount_path: XtMountPath = XtMountPath::default(),
        /// Capabilities, unless the application's first container declares some.
        capabilities: Option<Map<String, Value>> = None,
    }
}

values! {
    /// Where iptables keeps its lock.
    XtMountPath {
        /// Path in the init container.
        #[serde(deserialize_with = "text")]
        mount_path: String = "/run".into(),
        /// Name of the volume.
        #[serde(deserialize_with = "text")]
        name: String = "linkerd-proxy-init-xtables-lock".into(),
    }
}

values! {
    /// The init container that checks redirection by the CNI plug-in.
    NetworkValidator {
        /// Log level.
        #[serde(deserialize_with = "text")]
        log_level: String = "debug".into(),
        /// Log format.
        #[serde(deserialize_with = "text")]
        log_format: String = "plain".into(),
        /// Address that is dialled; empty for one that fits the IP family.
        #[serde(deserialize_with = "text")]
        connect_addr: String = String::new(),
        /// Address that redirected connections reach; empty for the outbound port.
        #[serde(deserialize_with = "text")]
        listen_addr: String = String::new(),
        /// How long to wait.
        #[serde(deserialize_with = "text")]
        timeout: String = "10s".into(),
        /// Security context.
        security_context: Map<String, Value> = restricted(65534),
    }
}

/// A security context that the `restricted` pod security standard accepts.
fn restricted(id: i64) -> Map<String, Value> {
    Map::from_iter([
        ("allowPrivilegeEscalation".to_owned(), json!(false)),
        ("capabilities".to_owned(), json!({ "drop": ["ALL"] })),
        ("readOnlyRootFilesystem".to_owned(), json!(true)),
        ("runAsGroup".to_owned(), json!(id)),
        ("runAsNonRoot".to_owned(), json!(true)),
        ("runAsUser".to_owned(), json!(id)),
        ("seccompProfile".to_owned(), json!({ "type": "RuntimeDefault" })),
    ])
}

values! {
    /// The debug container.
    DebugContainer {
        /// Its image.
        image: Image = Image { name: "cr.l5d.io/linkerd/debug".into(), ..Image::default() },
    }
}

#[cfg(test)]
mod tests;
