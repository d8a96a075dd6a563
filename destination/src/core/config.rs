//! What the rules are told once, at start.

use linkerd_k8s::PortSet;
use serde::Deserialize;

/// Configuration of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Namespace of this control plane: workloads meshed with another one get no identity from it.
    pub controller_namespace: String,
    /// Domain of mesh identities; empty for endpoints without TLS.
    pub trust_domain: String,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Ports that are opaque where no annotation says otherwise.
    pub default_opaque_ports: PortSet,
    /// Whether meshed pods are offered HTTP/2.
    pub h2_upgrade: bool,
    /// Whether IPv6 addresses of pods are used, and preferred to IPv4.
    pub ipv6: bool,
    /// Whether every meshed endpoint is reached through its proxy's own port.
    pub force_opaque_transport: bool,
    /// Whether endpoints in the client's zone weigh ten times as much (an experiment).
    pub zone_weights: bool,
    /// How proxies use HTTP/2 to meshed endpoints.
    pub http2: Option<Http2Params>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            controller_namespace: "linkerd".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            default_opaque_ports: PortSet::default(),
            h2_upgrade: true,
            ipv6: true,
            force_opaque_transport: false,
            zone_weights: false,
            http2: None,
        }
    }
}

/// HTTP/2 parameters of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Http2Params {
    /// Flow control.
    pub flow_control: Option<FlowControl>,
    /// Pings.
    pub keep_alive: Option<KeepAlive>,
    /// Limits of the implementation.
    pub internals: Option<Internals>,
}

/// Flow control windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FlowControl {
    /// Window of a connection, in bytes.
    pub initial_connection_window_size: u32,
    /// Window of a stream, in bytes.
    pub initial_stream_window_size: u32,
    /// Whether windows follow the measured bandwidth instead.
    pub adaptive_flow_control: bool,
}

/// Pings that notice a dead peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeepAlive {
    /// Time between pings.
    pub interval: Option<Time>,
    /// Time that an answer may take.
    pub timeout: Option<Time>,
    /// Whether idle connections are pinged.
    pub while_idle: bool,
}

/// Limits of the HTTP/2 implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Internals {
    /// Streams that were reset and are remembered.
    pub max_concurrent_reset_streams: u32,
    /// Bytes of a frame.
    pub max_frame_size: u32,
    /// Bytes of a stream's send buffer.
    pub max_send_buf_size: u32,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds on top.
    pub nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_parameters_are_json_with_optional_and_unknown_keys() {
        let text = r#"{"keep_alive":{"interval":{"seconds":10},"timeout":{"seconds":3},"while_idle":true},"new":1}"#;
        let params: Http2Params = serde_json::from_str(text).unwrap();
        let keep_alive = params.keep_alive.unwrap();
        assert_eq!(keep_alive.interval, Some(Time { seconds: 10, nanos: 0 }));
        assert!(keep_alive.while_idle && params.flow_control.is_none());
        assert!(serde_json::from_str::<Http2Params>("{\"keep_alive\":3}").is_err());
    }
}
