//! The messages of `io.linkerd.proxy.inbound` that hold a map, and those that hold such messages.
//!
//! The published bindings use hash maps, which come out in a different order each time. Here maps are
//! ordered, so that equal policies are equal bytes. Numbers are those of the protocol.

use linkerd_proto::{
    Duration,
    inbound::{self, Authn, Network},
    meta::Metadata,
};
use std::collections::BTreeMap;

/// Labels of metrics.
pub(super) type Labels = BTreeMap<String, String>;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Server {
    #[prost(message, optional, tag = "1")]
    pub(super) protocol: Option<ProxyProtocol>,
    #[prost(message, repeated, tag = "3")]
    pub(super) authorizations: Vec<Authz>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(super) labels: Labels,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ProxyProtocol {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    #[prost(message, tag = "1")]
    Detect(Detect),
    #[prost(message, tag = "2")]
    Opaque(inbound::proxy_protocol::Opaque),
    #[prost(message, tag = "3")]
    Tls(inbound::proxy_protocol::Tls),
    #[prost(message, tag = "4")]
    Http1(Http),
    #[prost(message, tag = "5")]
    Http2(Http),
    #[prost(message, tag = "6")]
    Grpc(Grpc),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Detect {
    #[prost(message, optional, tag = "1")]
    pub(super) timeout: Option<Duration>,
    #[prost(message, repeated, tag = "3")]
    pub(super) http_routes: Vec<HttpRoute>,
}

/// `Http1` and `Http2` are alike.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Http {
    #[prost(message, repeated, tag = "2")]
    pub(super) routes: Vec<HttpRoute>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Grpc {
    #[prost(message, repeated, tag = "2")]
    pub(super) routes: Vec<GrpcRoute>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpRoute {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub(super) authorizations: Vec<Authz>,
    #[prost(message, repeated, tag = "4")]
    pub(super) rules: Vec<inbound::http_route::Rule>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GrpcRoute {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<Metadata>,
    #[prost(message, repeated, tag = "3")]
    pub(super) authorizations: Vec<Authz>,
    #[prost(message, repeated, tag = "4")]
    pub(super) rules: Vec<inbound::grpc_route::Rule>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Authz {
    #[prost(message, repeated, tag = "1")]
    pub(super) networks: Vec<Network>,
    #[prost(message, optional, tag = "2")]
    pub(super) authentication: Option<Authn>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) labels: Labels,
    #[prost(message, optional, tag = "4")]
    pub(super) metadata: Option<Metadata>,
}
