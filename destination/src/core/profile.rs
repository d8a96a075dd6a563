//! What a proxy is told of a target: the profile of a Service or of one endpoint.

use super::endpoint::Endpoint;
use linkerd_k8s::service_profile::ServiceProfileSpec;
use std::{net::SocketAddr, sync::Arc};

/// The answer to a request for a profile.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// Nothing is known of this port of the Service.
    Empty,
    /// A Service.
    Service(ServiceProfile),
    /// A single endpoint.
    Endpoint(EndpointProfile),
}

/// Profile of a Service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceProfile {
    /// Namespace of the Service.
    pub namespace: Arc<str>,
    /// Name of the Service.
    pub name: Arc<str>,
    /// Port that was asked for.
    pub port: u16,
    /// Whether the port is opaque.
    pub is_opaque: bool,
    /// The ServiceProfile that applies, if there is one.
    pub source: Option<Arc<Source>>,
}

/// A ServiceProfile.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Namespace of the ServiceProfile.
    pub namespace: Arc<str>,
    /// Name of the ServiceProfile.
    pub name: Arc<str>,
    /// Routes, budget and overrides.
    pub spec: ServiceProfileSpec,
}

/// Profile of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointProfile {
    /// Address.
    pub address: SocketAddr,
    /// What is known of it: for an unknown one, nothing.
    pub endpoint: Endpoint,
    /// Whether the port is opaque.
    pub is_opaque: bool,
}
