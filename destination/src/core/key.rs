//! Names of objects.

use std::{fmt, sync::Arc};

/// Namespace and name of an object, both shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name within the namespace.
    pub name: Arc<str>,
}

impl Key {
    /// Names an object.
    pub fn new(namespace: &Arc<str>, name: &Arc<str>) -> Self {
        Self { namespace: namespace.clone(), name: name.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKey {
    /// A pod.
    Pod(Key),
    /// A workload outside of the cluster.
    External(Key),
}
