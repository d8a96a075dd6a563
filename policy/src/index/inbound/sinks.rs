//! Events of each kind.

use super::{
    InboundIndex,
    authentication::{self, AuthenticationId},
    authorization::{PolicyRecord, ServerAuthorizationRecord},
    server::ServerRecord,
    workload::Workload,
};
use crate::{core::workload::WorkloadKind, index::Problem};
use linkerd_controller::source::Sink;
use linkerd_k8s::{
    ExternalWorkload, ObjectId, Pod, Resource, Server,
    names::label,
    policy::{AuthorizationPolicy, MeshTlsAuthentication, NetworkAuthentication, ServerAuthorization},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    error::Error,
};

/// A kind that the index keeps.
pub(super) trait Kept: Resource {
    /// Replaces or removes an object. One that cannot be served is as if it were absent: what it said
    /// before must not stay in force.
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>);

    /// The objects that are kept.
    fn ids(index: &InboundIndex) -> Vec<ObjectId>;
}

impl<T: Kept> Sink<T> for InboundIndex {
    fn apply(&mut self, object: T) {
        T::put(self, &object.id(), Some(object));
    }

    fn delete(&mut self, id: &ObjectId) {
        self.problems.set::<T>(id, Vec::new());
        T::put(self, id, None);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        let gone = T::ids(self).into_iter().filter(|id| !live.contains(id));
        for id in gone.collect::<Vec<_>>() {
            T::put(self, &id, None);
        }
        self.problems.retain::<T>(live);
        self.synced.listed::<T>();
    }
}

impl InboundIndex {
    /// Notes what is wrong with an object, and drops it if it cannot be served.
    fn checked<T: Resource, R, E: Error>(&mut self, id: &ObjectId, record: Option<Result<R, E>>) -> Option<R> {
        match record? {
            Ok(record) => {
                self.problems.set::<T>(id, Vec::new());
                Some(record)
            }
            Err(error) => {
                self.problems.set::<T>(id, vec![Problem::ignored(&error)]);
                None
            }
        }
    }

    fn workload_ids(&self, kind: WorkloadKind) -> Vec<ObjectId> {
        let keys =
            self.namespaces.iter().flat_map(|(name, namespace)| namespace.workloads.keys().map(move |key| (name, key)));
        keys.filter(|(_, key)| key.kind == kind).map(|(name, key)| ObjectId::new(&**name, &*key.name)).collect()
    }

    /// Names of objects that namespaces keep by name.
    fn named<R>(&self, table: impl Fn(&super::Namespace) -> &BTreeMap<String, R>) -> Vec<ObjectId> {
        let tables = self.namespaces.iter().map(|(name, namespace)| (name, table(namespace)));
        tables.flat_map(|(namespace, table)| table.keys().map(|name| ObjectId::new(&**namespace, name))).collect()
    }
}

/// Replaces or removes a value. Returns the old one, unless nothing changed.
fn swap<K: Ord + Clone, R: PartialEq>(table: &mut BTreeMap<K, R>, key: &K, new: Option<R>) -> Option<Option<R>> {
    if table.get(key) == new.as_ref() {
        return None;
    }
    Some(match new {
        Some(new) => table.insert(key.clone(), new),
        None => table.remove(key),
    })
}

impl Kept for Pod {
    fn put(index: &mut InboundIndex, id: &ObjectId, pod: Option<Self>) {
        // Sources may hand over pods without proxy; and a pod may lose its proxy's label.
        let meshed = pod.filter(|pod| pod.metadata.label(label::CONTROL_PLANE_NS).is_some());
        let (workload, problems) = meshed.as_ref().map(Workload::of_pod).unzip();
        index.problems.set::<Self>(id, problems.unwrap_or_default());
        index.put_workload(WorkloadKind::Pod, id, workload);
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.workload_ids(WorkloadKind::Pod)
    }
}

impl Kept for ExternalWorkload {
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>) {
        let (workload, problems) = object.as_ref().map(Workload::of_external_workload).unzip();
        index.problems.set::<Self>(id, problems.unwrap_or_default());
        index.put_workload(WorkloadKind::ExternalWorkload, id, workload);
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.workload_ids(WorkloadKind::ExternalWorkload)
    }
}

impl Kept for Server {
    fn put(index: &mut InboundIndex, id: &ObjectId, server: Option<Self>) {
        let (record, problems) = server.map(ServerRecord::of).unzip();
        index.problems.set::<Self>(id, problems.unwrap_or_default());
        let namespace = index.namespace(&id.namespace);
        let ports = namespace.ports_of_server(&id.name, record.as_ref());
        if swap(&mut namespace.servers, &id.name, record).is_some() {
            index.refresh(&id.namespace, ports);
        }
        index.prune(&id.namespace);
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.named(|namespace| &namespace.servers)
    }
}

impl Kept for ServerAuthorization {
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>) {
        let record = object.map(|object| ServerAuthorizationRecord::of(&object, &index.config));
        let record = index.checked::<Self, _, _>(id, record);
        let namespace = index.namespace(&id.namespace);
        let mut ports = BTreeSet::new();
        if let Some(record) = &record {
            ports.extend(namespace.ports_of_selection(&record.servers));
        }
        if let Some(old) = swap(&mut namespace.server_authorizations, &id.name, record) {
            if let Some(old) = old {
                ports.extend(namespace.ports_of_selection(&old.servers));
            }
            index.refresh(&id.namespace, ports);
        }
        index.prune(&id.namespace);
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.named(|namespace| &namespace.server_authorizations)
    }
}

impl Kept for AuthorizationPolicy {
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>) {
        let record = object.map(|object| PolicyRecord::of(&object, &index.config));
        let record = index.checked::<Self, _, _>(id, record);
        let namespace = index.namespace(&id.namespace);
        let mut ports = BTreeSet::new();
        let mut new = Vec::new();
        if let Some(record) = &record {
            ports.extend(namespace.ports_of_target(&record.target));
            new.extend(record.authentications());
        }
        if let Some(old) = swap(&mut namespace.policies, &id.name, record) {
            if let Some(old) = &old {
                ports.extend(namespace.ports_of_target(&old.target));
            }
            let old = old.iter().flat_map(PolicyRecord::authentications);
            index.authentications.depend(id, old, new.into_iter());
            index.refresh(&id.namespace, ports);
        }
        index.prune(&id.namespace);
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.named(|namespace| &namespace.policies)
    }
}

impl Kept for MeshTlsAuthentication {
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>) {
        let identities = object.map(|object| authentication::identities(&object, &index.config));
        let identities = index.checked::<Self, _, _>(id, identities);
        if swap(&mut index.authentications.mesh_tls, id, identities).is_some() {
            index.refresh_dependents(&AuthenticationId::MeshTls(id.clone()));
        }
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.authentications.mesh_tls.keys().cloned().collect()
    }
}

impl Kept for NetworkAuthentication {
    fn put(index: &mut InboundIndex, id: &ObjectId, object: Option<Self>) {
        let networks = object.map(|object| authentication::networks(&object));
        let networks = index.checked::<Self, _, _>(id, networks);
        if swap(&mut index.authentications.networks, id, networks).is_some() {
            index.refresh_dependents(&AuthenticationId::Network(id.clone()));
        }
    }

    fn ids(index: &InboundIndex) -> Vec<ObjectId> {
        index.authentications.networks.keys().cloned().collect()
    }
}
