//! Names of workloads: what proxies say who they are.

use std::sync::Arc;

/// A workload that has a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadId {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Kind and name within the namespace.
    pub key: WorkloadKey,
}

/// Kind and name of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadKey {
    /// Kind.
    pub kind: WorkloadKind,
    /// Name.
    pub name: Arc<str>,
}

/// Kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A pod.
    Pod,
    /// A member of the mesh outside the cluster.
    ExternalWorkload,
}
