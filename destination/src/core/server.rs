//! Servers that declare a port opaque.

use super::workload::{External, Pod};
use linkerd_k8s::{LabelSelector, ports::PortName};

/// A Server whose protocol is `opaque`; others decide nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaqueServer {
    /// Selects pods; absent selects none.
    pub pods: Option<LabelSelector>,
    /// Selects external workloads; absent selects none.
    pub externals: Option<LabelSelector>,
    /// Port by number or name.
    pub port: PortName,
}

impl OpaqueServer {
    /// Whether it selects a pod.
    pub fn selects_pod(&self, pod: &Pod) -> bool {
        self.pods.as_ref().is_some_and(|selector| selector.matches_by(|key| pod.labels.get(key)))
    }

    /// Whether it selects an external workload.
    pub fn selects_external(&self, workload: &External) -> bool {
        self.externals.as_ref().is_some_and(|selector| selector.matches_by(|key| workload.labels.get(key)))
    }

    /// Whether it makes this port of a pod opaque. A port of the node counts as the port behind it.
    pub fn covers_pod(&self, pod: &Pod, port: u16) -> bool {
        let is_port = match &self.port {
            PortName::Number(number) => *number == port,
            PortName::Name(name) => {
                let named = pod.template.ports.iter().filter(|declared| &*declared.name == name.as_str());
                named.into_iter().any(|declared| declared.port == port || declared.host_port == port)
            }
        };
        is_port && self.selects_pod(pod)
    }

    /// Whether it makes this port of an external workload opaque.
    pub fn covers_external(&self, workload: &External, port: u16) -> bool {
        let is_port = match &self.port {
            PortName::Number(number) => *number == port,
            PortName::Name(name) => {
                workload.ports.iter().any(|declared| &*declared.name == name.as_str() && declared.port == port)
            }
        };
        is_port && self.selects_external(workload)
    }
}
