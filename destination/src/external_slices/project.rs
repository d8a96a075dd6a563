//! From Kubernetes objects to what slices are planned from.

use super::model::{Content, Endpoint, Family, Port, Service, ServicePort, Slice, Target, Workload};
use crate::core::{key::Key, workload::Labels};
use linkerd_k8s::{
    self as k8s, Meta,
    endpoint_slice::{AddressType, EndpointPort},
    names::label,
    pod::Protocol,
    ports::PortName,
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Who our slices are managed by, as their label says.
pub const MANAGER: &str = "linkerd-external-workloads-controller";

/// What is kept of a Service; nothing of one that selects nothing.
pub fn service(service: &k8s::Service) -> Option<Service> {
    let spec = &service.spec;
    let selector = spec.selector.as_ref().filter(|selector| !selector.is_empty())?;
    if service.is_external_name() {
        return None;
    }
    let port = |port: &k8s::service::ServicePort| ServicePort {
        name: port.name.as_str().into(),
        target: match &port.target_port {
            None => Target::Number(port.port),
            Some(PortName::Number(number)) => Target::Number(*number),
            Some(PortName::Name(name)) => Target::Name(name.as_str().into()),
        },
        protocol: port.protocol,
    };
    Some(Service {
        key: key(&service.metadata),
        uid: service.metadata.uid.as_str().into(),
        labels: labels(&service.metadata.labels),
        selector: labels(selector),
        families: families(&spec.ip_families),
        // A protocol that Kubernetes adds one day cannot be matched to a workload's.
        ports: spec.ports.iter().filter(|port| port.protocol != Protocol::Other).map(port).collect(),
        is_headless: service.is_headless(),
        is_deleting: service.metadata.deletion_timestamp.is_some(),
    })
}

/// A Service that does not say gets both, as one from before dual stack.
fn families(named: &[String]) -> Box<[Family]> {
    let both = [("IPv4", Family::V4), ("IPv6", Family::V6)];
    let wanted = both.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|known| known == name));
    wanted.map(|(_, family)| *family).collect()
}

/// What is kept of an external workload.
pub fn workload(workload: &k8s::ExternalWorkload) -> Workload {
    let metadata = &workload.metadata;
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in workload.ips().map(|ip| ip.to_canonical()) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let ports = workload.spec.ports.iter();
    let port = |port: &k8s::external_workload::WorkloadPort| Port {
        name: port.name.as_str().into(),
        number: port.port,
        protocol: port.protocol,
    };
    Workload {
        key: key(metadata),
        uid: metadata.uid.as_str().into(),
        labels: labels(&metadata.labels),
        ips: ips.into(),
        ports: ports.map(port).collect(),
        is_ready: workload.is_ready() && metadata.deletion_timestamp.is_none(),
        zone: metadata.label(label::TOPOLOGY_ZONE).unwrap_or_default().into(),
    }
}

/// Whether the API server takes the address in a slice.
pub fn is_servable(ip: &IpAddr) -> bool {
    let is_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || matches!(ip.octets(), [224, 0, 0, _]),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.segments()[0] & 0xff0f == 0xff02,
    };
    !(is_local || ip.is_loopback() || ip.is_unspecified())
}

/// What is kept of a slice; nothing of one that others manage, or that is for no Service.
pub fn slice(slice: &k8s::EndpointSlice) -> Option<Slice> {
    let metadata = &slice.metadata;
    if metadata.label(label::ENDPOINT_SLICE_MANAGED_BY) != Some(MANAGER) {
        return None;
    }
    let service = metadata.label(label::SERVICE_NAME).filter(|name| !name.is_empty())?;
    let owner = metadata.owner_references.iter().find(|owner| owner.controller && owner.kind == "Service");
    Some(Slice {
        key: key(metadata),
        uid: metadata.uid.as_str().into(),
        version: metadata.resource_version.as_str().into(),
        generation: metadata.generation.unwrap_or_default(),
        service: service.into(),
        owner: owner.map(|owner| owner.uid.as_str()).unwrap_or_default().into(),
        family: match slice.address_type {
            AddressType::IPv4 => Some(Family::V4),
            AddressType::IPv6 => Some(Family::V6),
            AddressType::Fqdn | AddressType::Other => None,
        },
        is_deleting: metadata.deletion_timestamp.is_some(),
        content: Content {
            labels: labels(&metadata.labels),
            ports: ports(&slice.ports),
            endpoints: slice.endpoints.iter().map(endpoint).collect(),
        },
    })
}

fn ports(ports: &[EndpointPort]) -> Box<[Port]> {
    let mut ports: Box<[Port]> = ports
        .iter()
        // A port without a number is all ports, which none of ours is.
        .map(|port| Port {
            name: port.name.as_str().into(),
            number: port.port.unwrap_or_default(),
            protocol: port.protocol,
        })
        .collect();
    ports.sort_unstable();
    ports
}

/// An endpoint that is none of ours, or has an address that is none, is like no endpoint that is wanted.
fn endpoint(endpoint: &k8s::endpoint_slice::Endpoint) -> Endpoint {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind == "ExternalWorkload");
    let text = |field: fn(&k8s::endpoint_slice::TargetRef) -> &String| -> Arc<str> {
        target.map(|target| field(target).as_str()).unwrap_or_default().into()
    };
    let addresses: Result<Box<[IpAddr]>, _> = endpoint.addresses.iter().map(|ip| ip.parse()).collect();
    let is_ready = endpoint.is_ready();
    Endpoint {
        workload: Key { namespace: text(|target| &target.namespace), name: text(|target| &target.name) },
        uid: text(|target| &target.uid),
        addresses: addresses.unwrap_or_default(),
        hostname: endpoint.hostname.as_str().into(),
        zone: endpoint.zone.as_str().into(),
        node: endpoint.node_name.as_str().into(),
        is_ready,
        is_serving: endpoint.conditions.serving.unwrap_or(is_ready),
        is_terminating: endpoint.conditions.terminating.unwrap_or(false),
    }
}

fn key(metadata: &Meta) -> Key {
    Key { namespace: metadata.namespace.as_str().into(), name: metadata.name.as_str().into() }
}

fn labels(labels: &BTreeMap<String, String>) -> Labels {
    labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}
