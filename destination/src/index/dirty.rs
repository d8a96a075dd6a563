//! What an event may have changed.

use crate::core::key::{Key, WorkloadKey};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

/// Names of what may look different after an event. Naming too much costs time, naming too little loses
/// an update.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Objects behind endpoints.
    pub workloads: BTreeSet<WorkloadKey>,
    /// Addresses of pods, nodes, external workloads and Services.
    pub addresses: BTreeSet<IpAddr>,
    /// Slices, each after its Service.
    pub slices: BTreeSet<(Key, Arc<str>)>,
    /// Services.
    pub services: BTreeSet<Key>,
    /// Services whose ServiceProfiles changed.
    pub profiles: BTreeSet<Key>,
    /// Nodes whose zone changed.
    pub nodes: BTreeSet<Arc<str>>,
}

impl Dirty {
    /// Whether nothing may have changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another event may have changed.
    pub fn merge(&mut self, mut other: Self) {
        self.workloads.append(&mut other.workloads);
        self.addresses.append(&mut other.addresses);
        self.slices.append(&mut other.slices);
        self.services.append(&mut other.services);
        self.profiles.append(&mut other.profiles);
        self.nodes.append(&mut other.nodes);
    }
}
