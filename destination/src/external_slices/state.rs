//! What slices are planned from, kept up by watches and by what is written. Synchronous, without a clock.

use super::{
    model::{Service, Slice, Workload},
    plan::{self, Plan},
    project,
};
use crate::{core::key::Key, index::namespaced::Namespaced};
use linkerd_k8s::{self as k8s, ObjectId, Resource};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};
use tokio::sync::Notify;

/// Kinds that must have been listed before anything is planned: what is not known yet is not gone.
const KINDS: usize = 3;

/// The namespace of cluster add-ons, whose Services are left alone.
const KUBE_SYSTEM: &str = "kube-system";

/// Services, external workloads and our slices, and which Services may need a write.
///
/// What this process writes is noted at once, and what a watch then tells of older states is passed over:
/// otherwise a Service would be planned from slices as they were before.
#[derive(Debug, Default)]
pub struct State {
    services: Namespaced<Service>,
    workloads: Namespaced<Workload>,
    slices: Namespaced<Slice>,
    /// UIDs of slices that this process deleted and the watch still has.
    erased: HashMap<ObjectId, Arc<str>>,
    listed: BTreeSet<&'static str>,
    dirty: BTreeSet<Key>,
    is_leading: bool,
    wake: Arc<Notify>,
}

/// What the state does with one kind of object: what a sink does, but it only looks.
pub trait Follow<T> {
    /// The object is so now.
    fn apply(&mut self, object: &T);
    /// The object is gone.
    fn delete(&mut self, id: &ObjectId);
    /// A complete list was applied: every object of this kind that is not in `live` is gone.
    fn reset(&mut self, live: &HashSet<ObjectId>);
}

impl State {
    /// Notified when a Service may need a write.
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// From now on this process writes: every Service may need it.
    pub fn lead(&mut self) {
        self.is_leading = true;
        self.dirty = self.services.iter().map(|(key, _)| key).collect();
        self.wake.notify_one();
    }

    /// From now on another process writes.
    pub fn stand_by(&mut self) {
        self.is_leading = false;
        self.dirty.clear();
        self.erased.clear();
    }

    /// Takes the Services that may need a write; none before all kinds were listed.
    pub fn take_dirty(&mut self) -> BTreeSet<Key> {
        if self.listed.len() < KINDS { BTreeSet::new() } else { std::mem::take(&mut self.dirty) }
    }

    /// What the slices of a Service need; `None` when there is no such Service that selects anything.
    pub fn plan(&self, key: &Key) -> Option<(Service, Plan)> {
        let service = self.services.at(key)?;
        let workloads = self.workloads.in_namespace(&key.namespace).map(|(_, workload)| workload);
        let selected = workloads.filter(|workload| service.selects(workload));
        let slices = self.slices.in_namespace(&key.namespace).map(|(_, slice)| slice);
        let slices: Vec<&Slice> = slices.filter(|slice| slice.service == key.name).collect();
        Some((service.clone(), plan::plan(service, selected, &slices)))
    }

    /// Notes what this process wrote.
    pub fn wrote(&mut self, slice: &k8s::EndpointSlice) {
        let id = slice.id();
        let Some(slice) = project::slice(slice) else { return };
        if !self.is_outdated(&id, &slice) {
            self.slices.insert(&slice.key.clone(), slice);
        }
    }

    /// Notes a slice as it is, whatever was known of it: a write was refused since it is otherwise.
    pub fn found(&mut self, slice: &k8s::EndpointSlice) {
        self.set_slice(&slice.id(), project::slice(slice));
    }

    /// Notes that this process deleted a slice, or found it to be gone.
    pub fn erased(&mut self, slice: &Slice) {
        let (namespace, name) = (&slice.key.namespace, &slice.key.name);
        if self.slices.get(namespace, name).is_some_and(|known| known.uid == slice.uid) {
            self.slices.remove(namespace, name);
            self.erased.insert(ObjectId::new(&**namespace, &**name), slice.uid.clone());
        }
    }

    /// Objects that are kept: Services, workloads, slices.
    pub fn sizes(&self) -> [usize; KINDS] {
        [self.services.len(), self.workloads.len(), self.slices.len()]
    }

    fn is_outdated(&self, id: &ObjectId, slice: &Slice) -> bool {
        let known = self.slices.at(&slice.key).filter(|known| known.uid == slice.uid);
        known.is_some_and(|known| known.generation > slice.generation) || self.erased.get(id) == Some(&slice.uid)
    }

    fn mark(&mut self, services: impl IntoIterator<Item = Key>) {
        if self.is_leading {
            self.dirty.extend(services);
            self.wake.notify_one();
        }
    }

    fn set_service(&mut self, id: &ObjectId, service: Option<Service>) {
        let key = key(id);
        match service {
            Some(service) if self.services.at(&key) == Some(&service) => {}
            Some(service) => {
                self.services.insert(&key, service);
                self.mark([key]);
            }
            None => {
                self.services.remove(&key.namespace, &key.name);
            }
        }
    }

    fn set_workload(&mut self, id: &ObjectId, workload: Option<Workload>) {
        let key = key(id);
        let old = match workload {
            Some(mut workload) => {
                let refused = take_unservable(&mut workload);
                if self.workloads.at(&key) == Some(&workload) {
                    return;
                }
                warn_of(&key, &refused);
                self.workloads.insert(&key, workload)
            }
            None => self.workloads.remove(&key.namespace, &key.name).map(|(_, old)| old),
        };
        let states = [old.as_ref(), self.workloads.at(&key)];
        let is_concerned = |service: &Service| states.iter().flatten().any(|workload| service.selects(workload));
        let services = self.services.in_namespace(&key.namespace).filter(|(_, service)| is_concerned(service));
        let concerned: Vec<Key> = services.map(|(_, service)| service.key.clone()).collect();
        self.mark(concerned);
    }

    fn set_slice(&mut self, id: &ObjectId, slice: Option<Slice>) {
        let key = key(id);
        let old = match slice {
            Some(slice) => self.slices.insert(&key, slice),
            None => self.slices.remove(&key.namespace, &key.name).map(|(_, old)| old),
        };
        let new = self.slices.at(&key);
        if old.as_ref().zip(new).is_some_and(|(old, new)| old.is_like(new)) {
            return;
        }
        let services = [old.as_ref(), new].into_iter().flatten().map(|slice| Key::new(&key.namespace, &slice.service));
        let concerned: Vec<Key> = services.collect();
        self.mark(concerned);
    }

    fn listed<T: Resource>(&mut self) {
        if self.listed.insert(T::KIND) && self.listed.len() == KINDS {
            self.wake.notify_one();
        }
    }
}

/// Takes out addresses that the API server does not take, since one would spoil the whole slice.
fn take_unservable(workload: &mut Workload) -> Vec<IpAddr> {
    let (kept, refused): (Vec<_>, Vec<_>) = workload.ips.iter().copied().partition(project::is_servable);
    workload.ips = kept.into();
    refused
}

fn warn_of(workload: &Key, refused: &[IpAddr]) {
    if !refused.is_empty() {
        tracing::warn!(
            %workload, addresses = ?refused,
            "addresses of an ExternalWorkload are loopback, link-local or unspecified, which no endpoint may be, and \
             are left out; correct spec.workloadIPs"
        );
    }
}

fn key(id: &ObjectId) -> Key {
    Key { namespace: id.namespace.as_str().into(), name: id.name.as_str().into() }
}

impl Follow<k8s::Service> for State {
    fn apply(&mut self, service: &k8s::Service) {
        if service.metadata.namespace != KUBE_SYSTEM {
            self.set_service(&service.id(), project::service(service));
        }
    }

    fn delete(&mut self, id: &ObjectId) {
        self.set_service(id, None);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.services.missing(live).iter().for_each(|id| self.set_service(id, None));
        self.listed::<k8s::Service>();
    }
}

impl Follow<k8s::ExternalWorkload> for State {
    fn apply(&mut self, workload: &k8s::ExternalWorkload) {
        self.set_workload(&workload.id(), Some(project::workload(workload)));
    }

    fn delete(&mut self, id: &ObjectId) {
        self.set_workload(id, None);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.workloads.missing(live).iter().for_each(|id| self.set_workload(id, None));
        self.listed::<k8s::ExternalWorkload>();
    }
}

impl Follow<k8s::EndpointSlice> for State {
    fn apply(&mut self, slice: &k8s::EndpointSlice) {
        let id = slice.id();
        let slice = project::slice(slice);
        if slice.as_ref().is_none_or(|slice| !self.is_outdated(&id, slice)) {
            self.set_slice(&id, slice);
        }
    }

    fn delete(&mut self, id: &ObjectId) {
        self.erased.remove(id);
        self.set_slice(id, None);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.erased.retain(|id, _| live.contains(id));
        self.slices.missing(live).iter().for_each(|id| self.set_slice(id, None));
        self.listed::<k8s::EndpointSlice>();
    }
}
