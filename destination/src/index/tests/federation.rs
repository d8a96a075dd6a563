//! Services that stand for others: in another cluster, or in several.

mod mirrors;
mod model;
mod unions;

use super::{
    super::{Index, clusters::RemoteCluster, refusal::EndpointsRefusal},
    relist, sync_foreign,
    world::{Client, World, config},
};
use crate::{
    core::{config::Config, endpoint::TlsIdentity},
    fixtures::{Named, PodExt, ServiceExt, SliceExt, pod, service, slice},
    index::cluster::{Cluster, Store},
};
use linkerd_controller::source::{Shared, Sink};
use linkerd_k8s::{
    ObjectId, Pod, Resource, Service,
    names::{annotation, label},
};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

/// Another cluster, as the index of this one sees it.
struct Remote {
    name: Arc<str>,
    index: Shared<Index>,
    settled: watch::Sender<bool>,
}

impl Remote {
    /// A cluster that has not told anything yet.
    fn new(name: &str) -> Self {
        let config =
            Config { trust_domain: format!("{name}.trust"), cluster_domain: format!("{name}.local"), ..config() };
        let index = Arc::new(Mutex::new(Index::foreign(Arc::new(config))));
        Self { name: name.into(), index, settled: watch::Sender::new(false) }
    }

    /// Makes the cluster known, in place of one of its name.
    fn join(&self, world: &World) {
        let synced = self.index.lock().synced();
        let cluster = RemoteCluster { index: self.index.clone(), synced, settled: self.settled.subscribe() };
        world.index().set_cluster(&self.name, Some(cluster));
    }

    /// Completes its initial lists, with what was applied so far.
    fn sync(&self, world: &World) {
        sync_foreign(&mut self.index.lock());
        self.join(world);
    }

    /// A cluster that is known and has told these pods behind a Service, with port 8080.
    fn with(world: &World, name: &str, of: &str, pods: &[Pod]) -> Self {
        let remote = Self::new(name);
        remote.has(world, of, pods);
        remote.sync(world);
        remote
    }

    /// These pods are behind a Service now.
    fn has(&self, world: &World, of: &str, pods: &[Pod]) {
        pods.iter().for_each(|pod| self.index.lock().apply(pod.clone()));
        self.apply(world, &service(of).port("http", 80));
        self.apply(world, &slice(of, &format!("{of}-1")).port("http", 8080).pods(pods));
    }

    fn apply<T: Resource>(&self, world: &World, object: &T)
    where
        Cluster: Store<T>,
    {
        self.index.lock().apply(object.clone());
        self.pump(world);
    }

    fn relist<T: Resource>(&self, world: &World, live: &[ObjectId])
    where
        Cluster: Store<T>,
    {
        relist::<T>(&mut self.index.lock(), Some(live));
        self.pump(world);
    }

    /// Tells this cluster's index what its members were told, as the process does.
    fn pump(&self, world: &World) {
        let published = self.index.lock().take_published();
        world.index().member_published(&self.name, published);
    }

    /// Lets additions through that were held back.
    fn settle(&self, world: &World) {
        while self.index.lock().tick() {}
        self.pump(world);
    }

    /// What is watched here.
    fn watched(&self) -> (usize, usize) {
        self.index.lock().endpoints().sizes()
    }
}

fn leave(world: &World, name: &str) {
    drop(world.index().set_cluster(&name.into(), None));
}

fn pod_at(name: &str, ip: &str) -> Pod {
    pod(name).ip(ip).account("web").meshed()
}

/// A Service that stands for `foo` in cluster `east`.
fn mirror() -> Service {
    service("foo-target").port("http", 80).label(label::REMOTE_DISCOVERY, "east").label(label::REMOTE_SERVICE, "foo")
}

/// A federated Service with these members.
fn federated(local: Option<&str>, remote: &str) -> Service {
    let service = service("bb-federated").port("http", 80).annotation(annotation::FEDERATED_REMOTE, remote);
    local.into_iter().fold(service, |service, local| service.annotation(annotation::FEDERATED_LOCAL, local))
}

/// `bb` in this cluster with one pod, and in `east` with another.
fn two() -> (World, Remote) {
    let world = World::new();
    let here = pod_at("here", "10.0.0.1");
    world.apply(&here).apply(&service("bb").port("http", 80));
    world.apply(&slice("bb", "bb-1").port("http", 8080).pods([&here]));
    let east = Remote::with(&world, "east", "bb", &[pod_at("there", "10.1.0.1")]);
    (world, east)
}

fn refusal(world: &World, name: &str) -> EndpointsRefusal {
    world.try_get(name, 80, "").err().unwrap()
}

fn identity(client: &mut Client, address: &str) -> String {
    match client.endpoint(address).identity {
        Some(TlsIdentity::Workload(name)) => name.to_string(),
        other => panic!("{other:?}"),
    }
}
