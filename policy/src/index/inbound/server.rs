//! Servers, as the index keeps them.

use super::workload::Workload;
use crate::{
    core::{age::Age, workload::WorkloadKind},
    index::Problem,
};
use linkerd_k8s::{
    LabelSelector, Server,
    policy::{AccessPolicy, ProxyProtocol},
    ports::PortName,
};
use std::collections::BTreeMap;

/// A Server without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerRecord {
    pub(super) age: Age,
    /// Labels, by which ServerAuthorizations select.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) port: PortName,
    pub(super) protocol: ProxyProtocol,
    pub(super) access_policy: AccessPolicy,
    pod_selector: Option<LabelSelector>,
    external_workload_selector: Option<LabelSelector>,
}

impl ServerRecord {
    /// Keeps a Server. One whose access policy is unknown lets nobody in.
    pub(super) fn of(server: Server) -> (Self, Vec<Problem>) {
        let access_policy = server.access_policy();
        let problems = access_policy.as_ref().err().map(|error| Problem {
            reason: format!("spec.accessPolicy: {error}"),
            effect: "the access policy is taken as deny",
        });
        let record = Self {
            age: server.metadata.creation_timestamp.into(),
            labels: server.metadata.labels,
            port: server.spec.port,
            protocol: server.spec.proxy_protocol,
            access_policy: access_policy.unwrap_or(AccessPolicy::Deny),
            pod_selector: server.spec.pod_selector,
            external_workload_selector: server.spec.external_workload_selector,
        };
        (record, problems.into_iter().collect())
    }

    /// Whether the Server selects the workload, on whatever port.
    pub(super) fn selects(&self, workload: &Workload) -> bool {
        let selector = match workload.kind {
            WorkloadKind::Pod => &self.pod_selector,
            WorkloadKind::ExternalWorkload => &self.external_workload_selector,
        };
        selector.as_ref().is_some_and(|selector| selector.matches(&workload.labels))
    }

    /// Whether the Server selects a port of the workload.
    pub(super) fn is_of(&self, workload: &Workload, port: u16) -> bool {
        workload.is_port(port, &self.port) && self.selects(workload)
    }
}
