//! What inbound policy needs to know of a pod or an external workload.

use super::probes;
use crate::{core::workload::WorkloadKind, index::Problem};
use linkerd_k8s::{
    ExternalWorkload, Meta, Pod, PortSet,
    names::annotation,
    pod::{Container, ContainerPort, Protocol},
    policy::AccessPolicy,
    ports::PortName,
};
use std::collections::{BTreeMap, BTreeSet};

/// A workload without its name: pods of one template are equal here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Workload {
    pub(super) kind: WorkloadKind,
    pub(super) labels: BTreeMap<String, String>,
    /// Numbers of the TCP ports by name; several containers may use one name.
    ports_by_name: BTreeMap<String, PortSet>,
    opaque_ports: PortSet,
    require_identity_ports: PortSet,
    default_policy: Option<AccessPolicy>,
    /// Paths of HTTP probes, by port.
    probes: BTreeMap<u16, BTreeSet<String>>,
}

impl Workload {
    pub(super) fn of_pod(pod: &Pod) -> (Self, Vec<Problem>) {
        let mut ports: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
        for port in pod.containers().flat_map(tcp_ports).filter(|port| !port.name.is_empty()) {
            ports.entry(port.name.clone()).or_default().insert(port.container_port);
        }
        let ports_by_name = ports.into_iter().map(|(name, ports)| (name, ports.into_iter().collect())).collect();
        Self::new(WorkloadKind::Pod, &pod.metadata, ports_by_name, probes::of_pod(pod))
    }

    pub(super) fn of_external_workload(workload: &ExternalWorkload) -> (Self, Vec<Problem>) {
        let ports = workload.spec.ports.iter();
        let named = ports.filter(|port| port.protocol == Protocol::Tcp && !port.name.is_empty());
        // The last port of a name wins.
        let ports_by_name = named.map(|port| (port.name.clone(), PortSet::from_iter([port.port]))).collect();
        Self::new(WorkloadKind::ExternalWorkload, &workload.metadata, ports_by_name, BTreeMap::new())
    }

    fn new(
        kind: WorkloadKind,
        meta: &Meta,
        ports_by_name: BTreeMap<String, PortSet>,
        probes: BTreeMap<u16, BTreeSet<String>>,
    ) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let workload = Self {
            kind,
            labels: meta.labels.clone(),
            ports_by_name,
            opaque_ports: read(meta, annotation::OPAQUE_PORTS, &mut problems).unwrap_or_default(),
            require_identity_ports: read(meta, annotation::REQUIRE_IDENTITY_INBOUND_PORTS, &mut problems)
                .unwrap_or_default(),
            default_policy: read(meta, annotation::DEFAULT_INBOUND_POLICY, &mut problems),
            probes,
        };
        (workload, problems)
    }

    /// Whether a port is the one that a number or name stands for. Numbers need not be declared.
    pub(super) fn is_port(&self, port: u16, name: &PortName) -> bool {
        match name {
            PortName::Number(number) => *number == port,
            PortName::Name(name) => self.ports_by_name.get(name).is_some_and(|ports| ports.contains(port)),
        }
    }

    /// Whether the protocol of a port that no Server selects is not to be detected.
    pub(super) fn is_opaque(&self, port: u16) -> bool {
        self.opaque_ports.contains(port)
    }

    /// The access policy of a port that no Server selects.
    pub(super) fn default_policy(&self, port: u16, fallback: AccessPolicy) -> AccessPolicy {
        let policy = self.default_policy.unwrap_or(fallback);
        if self.require_identity_ports.contains(port) { policy.authenticated() } else { policy }
    }

    /// Paths of HTTP probes of a port, if it has any.
    pub(super) fn probes(&self, port: u16) -> Option<&BTreeSet<String>> {
        self.probes.get(&port)
    }
}

/// The TCP ports that a container declares.
pub(super) fn tcp_ports(container: &Container) -> impl Iterator<Item = &ContainerPort> {
    container.ports.iter().filter(|port| port.protocol == Protocol::Tcp)
}

/// Reads an annotation; one that cannot be read is as if it were absent.
fn read<T: std::str::FromStr<Err: std::error::Error>>(
    meta: &Meta,
    key: &'static str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let text = meta.annotation(key)?;
    text.parse().map_err(|error: T::Err| problems.push(Problem::annotation(key, &error))).ok()
}
