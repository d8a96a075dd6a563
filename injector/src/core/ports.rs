//! Ports: which ones the proxy should know of, and on which it must not detect the protocol.

use crate::core::pod::{Malformed, PodView};
use linkerd_k8s::{meta::null_is_default, pod::Protocol, ports::PortName, service::ServicePort};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// A port or a range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    low: u16,
    high: u16,
}

impl PortRange {
    /// Reads `8080` or `8000-8010`; nothing but digits and one dash.
    fn parse(item: &str) -> Option<Self> {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let range = Self { low: number(low)?, high: number(high)? };
        (range.low <= range.high).then_some(range)
    }

    fn single(port: u16) -> Self {
        Self { low: port, high: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high { self.low.fmt(f) } else { write!(f, "{}-{}", self.low, self.high) }
    }
}

/// Ports and ranges in the order they were written, without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortList(Vec<PortRange>);

impl PortList {
    /// Reads the good items of a comma-joined list, from port 1 on, and returns the bad ones.
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        Self::read(text, |item| PortRange::parse(item).filter(|range| range.low > 0).map(|range| vec![range]))
    }

    /// As [`PortList::parse`], with names of the pod's container ports. Port 0 passes, as it does in
    /// the policy of the proxy.
    pub fn parse_named(text: &str, pod: &PodView) -> (Self, Vec<String>) {
        Self::read(text, |item| match PortRange::parse(item) {
            Some(range) => Some(vec![range]),
            None => Some(ports_named(pod, item)).filter(|ports| !ports.is_empty()),
        })
    }

    fn read(text: &str, read: impl Fn(&str) -> Option<Vec<PortRange>>) -> (Self, Vec<String>) {
        let (mut list, mut bad) = (Self::default(), Vec::new());
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match read(item) {
                Some(ranges) => ranges.into_iter().for_each(|range| list.push(range)),
                None => bad.push(item.to_owned()),
            }
        }
        (list, bad)
    }

    fn push(&mut self, range: PortRange) {
        if !self.0.contains(&range) {
            self.0.push(range);
        }
    }

    /// Whether the list has a port.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| (range.low..=range.high).contains(&port))
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u16> for PortList {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut list = Self::default();
        ports.into_iter().for_each(|port| list.push(PortRange::single(port)));
        list
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

fn ports_named(pod: &PodView, name: &str) -> Vec<PortRange> {
    let ports = pod.all_containers().flat_map(|container| &container.ports);
    ports.filter(|port| port.name == name).map(|port| PortRange::single(port.container_port)).collect()
}

/// TCP ports that the pod's containers declare, in the order of its specification.
fn container_ports(pod: &PodView) -> impl Iterator<Item = u16> + '_ {
    let ports = pod.all_containers().flat_map(|container| &container.ports);
    ports.filter(|port| port.protocol == Protocol::Tcp).map(|port| port.container_port)
}

/// Ports whose policy the proxy asks for at start: declared ones and those of HTTP probes by number.
pub fn inbound(pod: &PodView) -> PortList {
    let probes = pod.all_containers().flat_map(|container| {
        [&container.liveness_probe, &container.readiness_probe, &container.startup_probe].into_iter().flatten()
    });
    let probed = probes.filter_map(|probe| match probe.http_get.as_ref()?.port {
        PortName::Number(port) => Some(port),
        PortName::Name(_) => None,
    });
    let sorted: BTreeSet<u16> = container_ports(pod).chain(probed).filter(|port| *port > 0).collect();
    sorted.into_iter().collect()
}

/// Those declared ports of a pod that are opaque by default.
pub fn opaque_of_pod(pod: &PodView, defaults: &PortList) -> PortList {
    container_ports(pod).filter(|port| defaults.contains(*port)).collect()
}

/// Those ports of a Service that lead to a port that is opaque by default.
///
/// # Errors
/// The Service's ports cannot be read.
pub fn opaque_of_service(service: &Value, defaults: &PortList) -> Result<PortList, Malformed> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Spec {
        #[serde(deserialize_with = "null_is_default")]
        ports: Vec<ServicePort>,
    }
    let spec = match service.get("spec") {
        None | Some(Value::Null) => Spec::default(),
        Some(spec) => Spec::deserialize(spec).map_err(|source| Malformed::Shape { what: "service's ports", source })?,
    };
    let leads_to_opaque = |port: &&ServicePort| {
        let target = match port.target_port {
            None | Some(PortName::Number(0)) => Some(port.port),
            Some(PortName::Number(target)) => Some(target),
            // The pods behind a name may give it different numbers.
            Some(PortName::Name(_)) => None,
        };
        port.protocol == Protocol::Tcp && target.is_some_and(|target| defaults.contains(target))
    };
    Ok(spec.ports.iter().filter(leads_to_opaque).map(|port| port.port).collect())
}

#[cfg(test)]
mod tests;
