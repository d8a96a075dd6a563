//! The index of inbound policy: which clients may reach which port of a workload.
//!
//! A workload that is not known yet may be watched: its cell has no snapshot until the workload comes.

mod authentication;
mod authorization;
mod namespace;
mod probes;
mod server;
mod sinks;
mod watches;
mod workload;

use self::{
    authentication::{AuthenticationId, Authentications},
    namespace::{Context, Memo, Namespace},
    watches::PortKey,
    workload::Workload,
};
use super::{
    cell::{Snapshot, Subscription},
    interner::Interner,
    problems::{Problem, Problems},
    synced::Synced,
};
use crate::{
    config::Config,
    core::{
        inbound::InboundServer,
        workload::{WorkloadId, WorkloadKey, WorkloadKind},
    },
};
use linkerd_controller::source::Shared;
use linkerd_k8s::{
    ExternalWorkload, ObjectId, Pod, Resource, Server,
    policy::{AuthorizationPolicy, MeshTlsAuthentication, NetworkAuthentication, ServerAuthorization},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::watch;

/// The index of inbound policy.
#[derive(Debug)]
pub struct InboundIndex {
    config: Arc<Config>,
    namespaces: HashMap<Arc<str>, Namespace>,
    authentications: Authentications,
    workloads: Interner<Workload>,
    snapshots: Interner<Snapshot<InboundServer>>,
    subscriptions: usize,
    problems: Problems,
    synced: Synced,
}

impl InboundIndex {
    /// An index that knows no object yet.
    pub fn new(config: Arc<Config>) -> Self {
        let kinds = [
            Pod::KIND,
            ExternalWorkload::KIND,
            Server::KIND,
            ServerAuthorization::KIND,
            AuthorizationPolicy::KIND,
            MeshTlsAuthentication::KIND,
            NetworkAuthentication::KIND,
        ];
        Self {
            config,
            namespaces: HashMap::new(),
            authentications: Authentications::default(),
            workloads: Interner::default(),
            snapshots: Interner::default(),
            subscriptions: 0,
            problems: Problems::default(),
            synced: Synced::awaiting(kinds),
        }
    }

    /// Becomes true once every kind of object was listed.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.watch()
    }

    /// The policy of a port of a workload; nothing for an unknown workload.
    pub fn policy(&self, workload: &WorkloadId, port: u16) -> Option<InboundServer> {
        let namespace = self.namespaces.get(&workload.namespace)?;
        let context = Context { config: &self.config, authentications: &self.authentications };
        Some(namespace.policy(context, &(workload.key.clone(), port), &mut Memo::new())?.1)
    }

    /// Watches the policy of a port, whether or not its workload is known.
    pub fn watch(index: &Shared<Self>, workload: &WorkloadId, port: u16) -> Subscription<InboundServer> {
        let (shared, id) = (index.clone(), workload.clone());
        let release = move || shared.lock().free(&id, port);
        let mut index = index.lock();
        index.subscriptions += 1;
        let namespace = index.namespaces.entry(workload.namespace.clone()).or_default();
        let (cell, is_new) = namespace.watches.cell(&workload.key, port);
        let subscription = cell.subscribe(release);
        if is_new {
            index.refresh(&workload.namespace, [(workload.key.clone(), port)]);
        }
        subscription
    }

    /// A watcher let go: frees its port, if nobody watches it any more, and its snapshot.
    fn free(&mut self, workload: &WorkloadId, port: u16) {
        if let Some(namespace) = self.namespaces.get_mut(&workload.namespace) {
            namespace.watches.free(&(workload.key.clone(), port));
            self.prune(&workload.namespace);
        }
        self.snapshots.released();
        self.subscriptions -= 1;
        if self.subscriptions == 0 {
            self.snapshots.sweep();
        }
    }

    /// Forgets a namespace of which nothing is known.
    fn prune(&mut self, namespace: &str) {
        if self.namespaces.get(namespace).is_some_and(Namespace::is_empty) {
            self.namespaces.remove(namespace);
        }
    }

    fn namespace(&mut self, name: &str) -> &mut Namespace {
        self.namespaces.entry(name.into()).or_default()
    }

    /// Computes the policies of watched ports anew.
    fn refresh(&mut self, namespace: &str, ports: impl IntoIterator<Item = PortKey>) {
        let Self { config, namespaces, authentications, snapshots, .. } = self;
        let Some(namespace) = namespaces.get_mut(namespace) else { return };
        let context = Context { config, authentications };
        let mut memo = Memo::new();
        let policies: Vec<_> = ports
            .into_iter()
            .filter_map(|key| {
                let (server, policy) = namespace.policy(context, &key, &mut memo)?;
                Some((key, server.map(str::to_owned), snapshots.intern(Snapshot::new(policy))))
            })
            .collect();
        for (key, server, snapshot) in policies {
            namespace.watches.publish(&key, server.as_deref(), snapshot);
            snapshots.released();
        }
    }

    /// Replaces or removes a workload; the watches of one that goes end.
    fn put_workload(&mut self, kind: WorkloadKind, id: &ObjectId, workload: Option<Workload>) {
        let key = WorkloadKey { kind, name: id.name.as_str().into() };
        let known = self.namespaces.get(id.namespace.as_str()).and_then(|namespace| namespace.workloads.get(&key));
        if known.map(|known| &**known) == workload.as_ref() {
            return;
        }
        let is_replaced = known.is_some();
        match workload {
            Some(workload) => {
                let workload = self.workloads.intern(workload);
                let namespace = self.namespace(&id.namespace);
                let ports = namespace.watches.of_workload(&key);
                namespace.workloads.insert(key, workload);
                self.refresh(&id.namespace, ports);
            }
            None => {
                let namespace = self.namespace(&id.namespace);
                namespace.workloads.remove(&key);
                namespace.watches.end(&key);
                self.prune(&id.namespace);
            }
        }
        if is_replaced {
            self.workloads.released();
        }
    }

    /// Computes the policies that depend on an authentication anew.
    fn refresh_dependents(&mut self, authentication: &AuthenticationId) {
        let mut ports: BTreeMap<String, Vec<PortKey>> = BTreeMap::new();
        for policy in self.authentications.dependents(authentication) {
            let Some(namespace) = self.namespaces.get(policy.namespace.as_str()) else { continue };
            let Some(record) = namespace.policies.get(&policy.name) else { continue };
            ports.entry(policy.namespace).or_default().extend(namespace.ports_of_target(&record.target));
        }
        for (namespace, ports) in ports {
            self.refresh(&namespace, ports);
        }
    }

    /// What is wrong with objects, by kind and object.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &ObjectId, &Problem)> {
        self.problems.iter()
    }

    /// Authentications that AuthorizationPolicies ask for and that do not exist.
    pub fn missing_authentications(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.authentications.missing().into_iter().map(missing_text).collect();
        missing.sort_unstable();
        missing
    }

    /// Number of objects of each namespace, by the name of their kind in metrics, and watched ports.
    pub fn sizes(&self) -> BTreeMap<(&'static str, String), usize> {
        let mut sizes = BTreeMap::new();
        for (name, namespace) in &self.namespaces {
            let workloads = |kind| namespace.workloads.keys().filter(|key| key.kind == kind).count();
            let mut set = |kind, size| sizes.insert((kind, name.to_string()), size);
            set("pod", workloads(WorkloadKind::Pod));
            set("external_workload", workloads(WorkloadKind::ExternalWorkload));
            set("server", namespace.servers.len());
            set("server_authorization", namespace.server_authorizations.len());
            set("authorization_policy", namespace.policies.len());
            set("watch", namespace.watches.len());
        }
        let Authentications { mesh_tls, networks, .. } = &self.authentications;
        let ids = mesh_tls.keys().map(|id| ("meshtls_authentication", id));
        for (kind, id) in ids.chain(networks.keys().map(|id| ("network_authentication", id))) {
            *sizes.entry((kind, id.namespace.clone())).or_default() += 1;
        }
        sizes
    }

    /// Number of different policies that are being served.
    pub fn distinct_policies(&self) -> usize {
        self.snapshots.len()
    }
}

fn missing_text((authentication, policies): (&AuthenticationId, &std::collections::BTreeSet<ObjectId>)) -> String {
    let (kind, id) = match authentication {
        AuthenticationId::MeshTls(id) => (MeshTlsAuthentication::KIND, id),
        AuthenticationId::Network(id) => (NetworkAuthentication::KIND, id),
    };
    let policies: Vec<String> = policies.iter().map(ToString::to_string).collect();
    format!("{kind} {id}, for AuthorizationPolicy {}", policies.join(", "))
}

#[cfg(test)]
mod tests;
