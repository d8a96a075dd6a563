//! The watched ports of a namespace's workloads.

use crate::{
    core::{inbound::InboundServer, workload::WorkloadKey},
    index::cell::{Cell, Snapshot},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A port of a workload.
pub(super) type PortKey = (WorkloadKey, u16);

/// Cells of the ports that somebody watches.
#[derive(Debug, Default)]
pub(super) struct Watches {
    ports: BTreeMap<WorkloadKey, BTreeMap<u16, PortWatch>>,
    /// Ports by the Server that they have.
    by_server: BTreeMap<Arc<str>, BTreeSet<PortKey>>,
}

#[derive(Debug)]
struct PortWatch {
    server: Option<Arc<str>>,
    cell: Cell<InboundServer>,
}

impl Watches {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Number of watched ports.
    pub(super) fn len(&self) -> usize {
        self.ports.values().map(BTreeMap::len).sum()
    }

    /// The watched ports of a workload.
    pub(super) fn of_workload(&self, workload: &WorkloadKey) -> Vec<PortKey> {
        self.ports.get(workload).into_iter().flatten().map(|(port, _)| (workload.clone(), *port)).collect()
    }

    /// The watched ports that a Server has.
    pub(super) fn of_server(&self, server: &str) -> impl Iterator<Item = &PortKey> {
        self.by_server.get(server).into_iter().flatten()
    }

    /// The watched ports that any Server has.
    pub(super) fn of_servers(&self) -> impl Iterator<Item = &PortKey> {
        self.by_server.values().flatten()
    }

    /// Workloads with a watched port.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &WorkloadKey> {
        self.ports.keys()
    }

    /// The cell of a port, new and without snapshot unless there was one.
    pub(super) fn cell(&mut self, workload: &WorkloadKey, port: u16) -> (&Cell<InboundServer>, bool) {
        let ports = self.ports.entry(workload.clone()).or_default();
        let is_new = !ports.contains_key(&port);
        let watch = ports.entry(port).or_insert_with(|| PortWatch { server: None, cell: Cell::new(None) });
        (&watch.cell, is_new)
    }

    /// Tells the watchers of a port of its policy, and notes the Server that it is by.
    pub(super) fn publish(&mut self, key: &PortKey, server: Option<&str>, snapshot: Arc<Snapshot<InboundServer>>) {
        let Some(watch) = self.ports.get_mut(&key.0).and_then(|ports| ports.get_mut(&key.1)) else { return };
        if watch.server.as_deref() != server {
            let old = watch.server.take();
            leave(&mut self.by_server, old.as_deref(), key);
            if let Some(server) = server {
                let server: Arc<str> = server.into();
                self.by_server.entry(server.clone()).or_default().insert(key.clone());
                watch.server = Some(server);
            }
        }
        watch.cell.publish(snapshot);
    }

    /// Ends the watches of a workload.
    pub(super) fn end(&mut self, workload: &WorkloadKey) {
        let ports = self.ports.remove(workload).unwrap_or_default();
        for (port, watch) in &ports {
            leave(&mut self.by_server, watch.server.as_deref(), &(workload.clone(), *port));
        }
    }

    /// Frees a port that nobody watches any more.
    pub(super) fn free(&mut self, key: &PortKey) {
        let Some(ports) = self.ports.get_mut(&key.0) else { return };
        if ports.get(&key.1).is_none_or(|watch| watch.cell.is_watched()) {
            return;
        }
        let watch = ports.remove(&key.1);
        if ports.is_empty() {
            self.ports.remove(&key.0);
        }
        leave(&mut self.by_server, watch.and_then(|watch| watch.server).as_deref(), key);
    }
}

fn leave(by_server: &mut BTreeMap<Arc<str>, BTreeSet<PortKey>>, server: Option<&str>, key: &PortKey) {
    let Some(server) = server else { return };
    if let Some(keys) = by_server.get_mut(server) {
        keys.remove(key);
        if keys.is_empty() {
            by_server.remove(server);
        }
    }
}
