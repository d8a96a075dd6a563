//! Services, as the index keeps them.

use crate::{
    config::Config,
    core::{age::Age, outbound::PortProtocol, settings::Settings},
    index::Problem,
};
use linkerd_k8s::{PortSet, Service, names::annotation, pod::Protocol};
use std::{collections::BTreeMap, net::IpAddr};

/// A Service without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceRecord {
    pub(super) age: Age,
    pub(super) cluster_ips: Vec<IpAddr>,
    /// Ports, with the protocol that they say they have.
    pub(super) ports: BTreeMap<u16, Option<PortProtocol>>,
    pub(super) settings: Settings,
    opaque_ports: PortSet,
}

impl ServiceRecord {
    pub(super) fn of(service: &Service, config: &Config) -> (Self, Vec<Problem>) {
        let meta = &service.metadata;
        let (settings, invalid) = Settings::read(|key| meta.annotation(key));
        let mut problems: Vec<Problem> = invalid
            .iter()
            .map(|invalid| Problem { reason: invalid.to_string(), effect: "its group of annotations is ignored" })
            .collect();
        let opaque_ports = match meta.annotation(annotation::OPAQUE_PORTS).map(str::parse) {
            None => config.default_opaque_ports.clone(),
            Some(Ok(ports)) => ports,
            Some(Err(error)) => {
                problems.push(Problem::annotation(annotation::OPAQUE_PORTS, &error));
                PortSet::default()
            }
        };
        let cluster_ips = service.cluster_ips().map(|ip| ip.to_canonical()).collect();
        let record =
            Self { age: meta.creation_timestamp.into(), cluster_ips, ports: ports(service), settings, opaque_ports };
        (record, problems)
    }

    /// What is known of the protocol of a port, which the Service need not have. What a port says of
    /// itself wins over the annotation.
    pub(super) fn protocol(&self, port: u16) -> PortProtocol {
        let detected = if self.opaque_ports.contains(port) { PortProtocol::Opaque } else { PortProtocol::Detect };
        self.ports.get(&port).copied().flatten().unwrap_or(detected)
    }
}

fn ports(service: &Service) -> BTreeMap<u16, Option<PortProtocol>> {
    let mut ports = BTreeMap::new();
    // One number may be served over several transports: proxies see TCP.
    let (tcp, other): (Vec<_>, Vec<_>) = service.spec.ports.iter().partition(|port| port.protocol == Protocol::Tcp);
    for port in tcp.into_iter().chain(other) {
        let protocol = port.app_protocol.as_deref().map(PortProtocol::of_app_protocol);
        ports.entry(port.port).or_insert(protocol);
    }
    ports
}
