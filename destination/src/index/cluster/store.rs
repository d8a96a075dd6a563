//! How each kind of object is kept, and what its events change.

use super::{super::dirty::Dirty, Cluster, Middleman};
use crate::{
    core::{
        authority::{Authority, Target},
        key::{Key, WorkloadKey},
        member::{MAX_MEMBERS, RemoteMembers},
        profile::Source,
        server::OpaqueServer,
        service::{Service, Slice},
        workload::{External, Pod},
    },
    index::{namespaced::Namespaced, project::opaque_server},
};
use linkerd_k8s::{
    self as k8s, ObjectId, Resource,
    names::{annotation, label},
};
use std::{collections::HashSet, net::IpAddr, sync::Arc};

/// Keeps objects of one kind.
pub trait Store<T> {
    /// The object is so now.
    fn apply(&mut self, object: T) -> Dirty;
    /// The object is gone.
    fn delete(&mut self, id: &ObjectId) -> Dirty;
    /// Names of the objects that a complete list lacks.
    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId>;
}

impl Store<k8s::Pod> for Cluster {
    fn apply(&mut self, pod: k8s::Pod) -> Dirty {
        let pod = self.projector.pod(&pod);
        self.set_pod(&Key::new(&pod.namespace, &pod.name), Some(pod))
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_pod(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.pods.missing(live)
    }
}

impl Store<k8s::ExternalWorkload> for Cluster {
    fn apply(&mut self, workload: k8s::ExternalWorkload) -> Dirty {
        let workload = self.projector.external(&workload);
        self.set_external(&Key::new(&workload.namespace, &workload.name), Some(workload))
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_external(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.externals.missing(live)
    }
}

impl Store<k8s::Service> for Cluster {
    fn apply(&mut self, service: k8s::Service) -> Dirty {
        let key = self.key(&service.metadata.namespace, &service.metadata.name);
        let projected = self.projector.service(&service);
        let dirty = self.set_service(&key, Some(projected));
        if !dirty.services.is_empty() {
            warn_of_members(&service);
        }
        dirty
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_service(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.services.missing(live)
    }
}

impl Store<k8s::EndpointSlice> for Cluster {
    fn apply(&mut self, slice: k8s::EndpointSlice) -> Dirty {
        let key = self.key(&slice.metadata.namespace, &slice.metadata.name);
        let slice = self.projector.slice(&slice);
        self.set_slice(&key, slice)
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_slice(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.slice_services.missing(live)
    }
}

impl Store<k8s::Server> for Cluster {
    fn apply(&mut self, server: k8s::Server) -> Dirty {
        let key = self.key(&server.metadata.namespace, &server.metadata.name);
        self.set_server(&key, opaque_server(server))
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_server(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.servers.missing(live)
    }
}

impl Store<k8s::ReplicaSet> for Cluster {
    fn apply(&mut self, set: k8s::ReplicaSet) -> Dirty {
        let (key, middleman) = self.middleman(&set.metadata);
        let is_news = replace(&mut self.replica_sets, &key, Some(middleman)).is_some();
        self.owned_pods(&key, "ReplicaSet", is_news)
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        let is_news = replace(&mut self.replica_sets, &key, None).is_some();
        self.owned_pods(&key, "ReplicaSet", is_news)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.replica_sets.missing(live)
    }
}

impl Store<k8s::Job> for Cluster {
    fn apply(&mut self, job: k8s::Job) -> Dirty {
        let (key, middleman) = self.middleman(&job.metadata);
        let is_news = replace(&mut self.jobs, &key, Some(middleman)).is_some();
        self.owned_pods(&key, "Job", is_news)
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        let is_news = replace(&mut self.jobs, &key, None).is_some();
        self.owned_pods(&key, "Job", is_news)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.jobs.missing(live)
    }
}

impl Store<k8s::Node> for Cluster {
    fn apply(&mut self, node: k8s::Node) -> Dirty {
        let name = self.text(&node.metadata.name);
        let zone = self.text(node.metadata.label(label::TOPOLOGY_ZONE).unwrap_or_default());
        self.set_zone(name, Some(zone))
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let name = self.text(&id.name);
        self.set_zone(name, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        let ids = self.zones.keys().map(|name| ObjectId::new("", &**name));
        ids.filter(|id| !live.contains(id)).collect()
    }
}

impl Store<k8s::ServiceProfile> for Cluster {
    fn apply(&mut self, profile: k8s::ServiceProfile) -> Dirty {
        let key = self.key(&profile.metadata.namespace, &profile.metadata.name);
        let id = profile.id();
        let source = Source { namespace: key.namespace.clone(), name: key.name.clone(), spec: profile.spec };
        let dirty = self.set_profile(&key, Some(Arc::new(source)));
        if !dirty.profiles.is_empty() {
            let problems = self.profiles.at(&key).map(|source| source.spec.problems.as_slice()).unwrap_or_default();
            for problem in problems {
                tracing::warn!(profile = %id, %problem, "a part of a ServiceProfile is left out; correct it");
            }
        }
        dirty
    }

    fn delete(&mut self, id: &ObjectId) -> Dirty {
        let key = self.key(&id.namespace, &id.name);
        self.set_profile(&key, None)
    }

    fn missing(&self, live: &HashSet<ObjectId>) -> Vec<ObjectId> {
        self.profiles.missing(live)
    }
}

fn warn_of_members(service: &k8s::Service) {
    let list = service.metadata.annotation(annotation::FEDERATED_REMOTE).unwrap_or_default();
    let (read, service) = (RemoteMembers::parse(list), service.id());
    for entry in read.malformed {
        let annotation = annotation::FEDERATED_REMOTE;
        tracing::warn!(%service, annotation, entry, "a member is ignored; write it as SERVICE@CLUSTER");
    }
    if read.members.len() > MAX_MEMBERS {
        tracing::warn!(%service, "members of the federated Service beyond the {MAX_MEMBERS}th are ignored");
    }
}

/// Sets or removes an object; returns the one that was there if that changed anything.
fn replace<V: PartialEq>(objects: &mut Namespaced<V>, key: &Key, new: Option<V>) -> Option<Option<V>> {
    match new {
        Some(new) if objects.at(key) == Some(&new) => None,
        Some(new) => Some(objects.insert(key, new)),
        None => objects.remove(&key.namespace, &key.name).map(|(_, old)| Some(old)),
    }
}

impl Cluster {
    fn set_pod(&mut self, key: &Key, pod: Option<Pod>) -> Dirty {
        let mut dirty = Dirty::default();
        let Some(old) = replace(&mut self.pods, key, pod) else { return dirty };
        let (old, new) = (old.as_ref(), self.pods.at(key));
        let own = |pod: Option<&Pod>| -> Vec<IpAddr> {
            pod.filter(|pod| !pod.template.host_network).map(|pod| pod.ips.to_vec()).unwrap_or_default()
        };
        let host = |pod: Option<&Pod>| -> Vec<IpAddr> { pod.map(|pod| pod.host_ips.to_vec()).unwrap_or_default() };
        for (index, old, new) in [(&mut self.pod_ips, own(old), own(new)), (&mut self.host_ips, host(old), host(new))] {
            index.replace(key, &old, &new);
            dirty.addresses.extend(old.into_iter().chain(new));
        }
        dirty.workloads.insert(WorkloadKey::Pod(key.clone()));
        dirty
    }

    fn set_external(&mut self, key: &Key, workload: Option<External>) -> Dirty {
        let mut dirty = Dirty::default();
        let Some(old) = replace(&mut self.externals, key, workload) else { return dirty };
        let ips = |workload: Option<&External>| workload.map(|workload| workload.ips.clone()).unwrap_or_default();
        let (old, new) = (ips(old.as_ref()), ips(self.externals.at(key)));
        self.external_ips.replace(key, &old, &new);
        dirty.addresses.extend(old.iter().chain(&new));
        dirty.workloads.insert(WorkloadKey::External(key.clone()));
        dirty
    }

    fn set_service(&mut self, key: &Key, service: Option<Service>) -> Dirty {
        let mut dirty = Dirty::default();
        let Some(old) = replace(&mut self.services, key, service) else { return dirty };
        let ips = |service: Option<&Service>| service.map(|service| service.cluster_ips.clone()).unwrap_or_default();
        let (old, new) = (ips(old.as_ref()), ips(self.services.at(key)));
        self.cluster_ips.replace(key, &old, &new);
        dirty.addresses.extend(old.iter().chain(&new));
        dirty.services.insert(key.clone());
        dirty
    }

    /// A slice that came to belong to another Service has left the one before.
    fn set_slice(&mut self, key: &Key, slice: Option<Slice>) -> Dirty {
        let mut dirty = Dirty::default();
        let old = self.slice_services.at(key).map(|service| Key::new(&key.namespace, service));
        let new = slice.map(|slice| (Key::new(&key.namespace, &slice.service), slice));
        if let Some(service) = old.filter(|old| new.as_ref().is_none_or(|(service, _)| service != old)) {
            let slices = self.slices.entry(&service);
            slices.remove(&key.name);
            if slices.is_empty() {
                self.slices.remove(&service.namespace, &service.name);
            }
            self.slice_services.remove(&key.namespace, &key.name);
            dirty.slices.insert((service, key.name.clone()));
        }
        if let Some((service, slice)) = new {
            let slices = self.slices.entry(&service);
            if slices.get(&key.name).is_none_or(|known| **known != slice) {
                slices.insert(key.name.clone(), Arc::new(slice));
                self.slice_services.insert(key, service.name.clone());
                dirty.slices.insert((service, key.name.clone()));
            }
        }
        dirty
    }

    /// The workloads that the Server selects now and those that it selected before are another's to judge.
    fn set_server(&mut self, key: &Key, server: Option<OpaqueServer>) -> Dirty {
        let mut dirty = Dirty::default();
        let Some(old) = replace(&mut self.servers, key, server) else { return dirty };
        let servers = [old.as_ref(), self.servers.at(key)];
        let selects = |selects: &dyn Fn(&OpaqueServer) -> bool| servers.iter().flatten().any(|server| selects(server));
        for (name, pod) in self.pods.in_namespace(&key.namespace) {
            if selects(&|server| server.selects_pod(pod)) {
                dirty.workloads.insert(WorkloadKey::Pod(Key::new(&key.namespace, name)));
                dirty.addresses.extend(pod.ips.iter().chain(&pod.host_ips));
            }
        }
        for (name, workload) in self.externals.in_namespace(&key.namespace) {
            if selects(&|server| server.selects_external(workload)) {
                dirty.workloads.insert(WorkloadKey::External(Key::new(&key.namespace, name)));
                dirty.addresses.extend(&workload.ips);
            }
        }
        dirty
    }

    fn middleman(&mut self, metadata: &k8s::Meta) -> (Key, Middleman) {
        let key = self.key(&metadata.namespace, &metadata.name);
        let (uid, owner) = (self.text(&metadata.uid), self.projector.only_owner(&metadata.owner_references));
        (key, Middleman { uid, owner })
    }

    /// The pods that may show another owner.
    fn owned_pods(&self, key: &Key, kind: &str, is_news: bool) -> Dirty {
        let mut dirty = Dirty::default();
        let pods = self.pods.in_namespace(&key.namespace).filter(|_| is_news);
        for (name, pod) in pods {
            if pod.template.owner.as_ref().is_some_and(|owner| *owner.kind == *kind && owner.name == key.name) {
                dirty.workloads.insert(WorkloadKey::Pod(Key::new(&key.namespace, name)));
                dirty.addresses.extend(pod.ips.iter().chain(&pod.host_ips));
            }
        }
        dirty
    }

    fn set_zone(&mut self, node: Arc<str>, zone: Option<Arc<str>>) -> Dirty {
        let mut dirty = Dirty::default();
        let old = match &zone {
            Some(zone) => self.zones.insert(node.clone(), zone.clone()),
            None => self.zones.remove(&node),
        };
        if old.unwrap_or_default() != zone.unwrap_or_default() {
            dirty.nodes.insert(node);
        }
        dirty
    }

    /// The name of a ServiceProfile says which Service it is for, whatever its own namespace.
    fn set_profile(&mut self, key: &Key, profile: Option<Arc<Source>>) -> Dirty {
        let mut dirty = Dirty::default();
        if replace(&mut self.profiles, key, profile).is_none() {
            return dirty;
        }
        let authority = Authority::parse(&key.name, &self.config.cluster_domain).map(|authority| authority.target);
        if let Ok(Target::Service { namespace, name, hostname: None }) = authority {
            let service = self.key(&namespace, &name);
            let ips = self.services.at(&service).map(|service| service.cluster_ips.clone()).unwrap_or_default();
            dirty.addresses.extend(&ips);
            dirty.profiles.insert(service);
        }
        dirty
    }
}
