//! The gRPC protocols that Linkerd proxies speak.
//!
//! Inputs: the published protobuf definitions of the data plane, as bound by the
//! `linkerd2-proxy-api` crate. Outputs: the message types, under one name for the whole
//! workspace. Invariant: nothing here knows Kubernetes or this control plane.

pub use linkerd2_proxy_api::{
    destination, grpc_route, http_route, http_types, identity, inbound, meta, net, opaque_route, outbound, tls_route,
};
pub use prost_types::{Duration, Timestamp};
