//! Messages that hold maps, with maps that have an order.
//!
//! The published bindings hold hash maps, and would write equal messages as different bytes. What holds
//! no map is theirs.

use crate::core::config::{Config, Http2Params, Time};
use linkerd_proto::{
    Duration,
    destination::{
        AddrSet, AuthorityOverride, Http2ClientParams, NoEndpoints, ProtocolHint, RequestMatch, ResponseClass,
        RetryBudget, TlsIdentity, WeightedDst,
        http2_client_params::{FlowControl, Internals, KeepAlive},
    },
    meta::Metadata,
    net::TcpAddress,
};
use std::{collections::BTreeMap, net::SocketAddr};

/// Writes messages; holds what all of them share.
#[derive(Debug)]
pub struct Wire {
    pub(super) http2: Option<Http2ClientParams>,
    pub(super) zone_weights: bool,
    pub(super) cluster_domain: String,
}

impl Wire {
    /// What the configuration says about messages.
    pub fn new(config: &Config) -> Self {
        Self {
            http2: config.http2.map(http2),
            zone_weights: config.zone_weights,
            cluster_domain: config.cluster_domain.clone(),
        }
    }
}

/// `Update`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Update {
    #[prost(oneof = "Updated", tags = "1, 2, 3")]
    pub update: Option<Updated>,
}

/// The kinds of `Update`.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Updated {
    #[prost(message, tag = "1")]
    Add(WeightedAddrSet),
    #[prost(message, tag = "2")]
    Remove(AddrSet),
    #[prost(message, tag = "3")]
    NoEndpoints(NoEndpoints),
}

/// `WeightedAddrSet`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WeightedAddrSet {
    #[prost(message, repeated, tag = "1")]
    pub addrs: Vec<WeightedAddr>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub metric_labels: BTreeMap<String, String>,
}

/// `WeightedAddr`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WeightedAddr {
    #[prost(message, optional, tag = "1")]
    pub addr: Option<TcpAddress>,
    #[prost(uint32, tag = "3")]
    pub weight: u32,
    #[prost(btree_map = "string, string", tag = "4")]
    pub metric_labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "5")]
    pub tls_identity: Option<TlsIdentity>,
    #[prost(message, optional, tag = "6")]
    pub protocol_hint: Option<ProtocolHint>,
    #[prost(message, optional, tag = "7")]
    pub authority_override: Option<AuthorityOverride>,
    #[prost(message, optional, tag = "8")]
    pub http2: Option<Http2ClientParams>,
}

/// `DestinationProfile`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DestinationProfile {
    #[prost(message, repeated, tag = "1")]
    pub routes: Vec<Route>,
    #[prost(message, optional, tag = "2")]
    pub retry_budget: Option<RetryBudget>,
    #[prost(message, repeated, tag = "3")]
    pub dst_overrides: Vec<WeightedDst>,
    #[prost(bool, tag = "4")]
    pub opaque_protocol: bool,
    #[prost(string, tag = "5")]
    pub fully_qualified_name: String,
    #[prost(message, optional, tag = "6")]
    pub endpoint: Option<WeightedAddr>,
    #[prost(message, optional, tag = "7")]
    pub parent_ref: Option<Metadata>,
    #[prost(message, optional, tag = "8")]
    pub profile_ref: Option<Metadata>,
}

/// `Route`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Route {
    #[prost(message, optional, tag = "1")]
    pub condition: Option<RequestMatch>,
    #[prost(message, repeated, tag = "2")]
    pub response_classes: Vec<ResponseClass>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub metrics_labels: BTreeMap<String, String>,
    #[prost(bool, tag = "4")]
    pub is_retryable: bool,
    #[prost(message, optional, tag = "5")]
    pub timeout: Option<Duration>,
}

/// An address.
pub fn tcp_address(address: SocketAddr) -> TcpAddress {
    TcpAddress { ip: Some(address.ip().into()), port: address.port().into() }
}

fn http2(params: Http2Params) -> Http2ClientParams {
    let duration = |time: Time| Duration { seconds: time.seconds, nanos: time.nanos };
    Http2ClientParams {
        flow_control: params.flow_control.map(|flow| FlowControl {
            initial_connection_window_size: flow.initial_connection_window_size,
            initial_stream_window_size: flow.initial_stream_window_size,
            adaptive_flow_control: flow.adaptive_flow_control,
        }),
        keep_alive: params.keep_alive.map(|keep_alive| KeepAlive {
            interval: keep_alive.interval.map(duration),
            timeout: keep_alive.timeout.map(duration),
            while_idle: keep_alive.while_idle,
        }),
        internals: params.internals.map(|internals| Internals {
            max_concurrent_reset_streams: internals.max_concurrent_reset_streams,
            max_frame_size: internals.max_frame_size,
            max_send_buf_size: internals.max_send_buf_size,
        }),
    }
}
