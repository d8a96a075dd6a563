//! The state of one cluster: reduced objects, and the joins between them.
//!
//! Objects join by name and, where both sides know it, by UID.

mod addresses;
mod resolve;
mod store;

pub use self::{resolve::ProfileTarget, store::Store};

use self::addresses::ByAddress;
use super::{namespaced::Namespaced, project::Projector};
use crate::core::{
    config::Config,
    key::Key,
    profile::Source,
    server::OpaqueServer,
    service::{Service, Slice},
    workload::{External, Owner, Pod, same_uid},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// All that is known of a cluster.
#[derive(Debug)]
pub struct Cluster {
    config: Arc<Config>,
    /// Whether its clients are in another cluster.
    is_foreign: bool,
    projector: Projector,
    pods: Namespaced<Pod>,
    /// Pods by addresses of their own.
    pod_ips: ByAddress,
    /// Pods by the addresses of their nodes, if they can be reached there.
    host_ips: ByAddress,
    externals: Namespaced<External>,
    external_ips: ByAddress,
    services: Namespaced<Service>,
    cluster_ips: ByAddress,
    /// Slices by name, under their Service.
    slices: Namespaced<BTreeMap<Arc<str>, Arc<Slice>>>,
    /// The Service of each slice.
    slice_services: Namespaced<Arc<str>>,
    servers: Namespaced<OpaqueServer>,
    replica_sets: Namespaced<Middleman>,
    jobs: Namespaced<Middleman>,
    /// Zones of nodes, empty for those that have none.
    zones: HashMap<Arc<str>, Arc<str>>,
    profiles: Namespaced<Arc<Source>>,
}

/// A ReplicaSet or Job: what stands between a pod and the owner that it shows.
#[derive(Debug, PartialEq, Eq)]
struct Middleman {
    uid: Arc<str>,
    owner: Option<Owner>,
}

impl Cluster {
    /// A cluster of which nothing is known yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            is_foreign: false,
            projector: Projector::default(),
            pods: Namespaced::default(),
            pod_ips: ByAddress::default(),
            host_ips: ByAddress::default(),
            externals: Namespaced::default(),
            external_ips: ByAddress::default(),
            services: Namespaced::default(),
            cluster_ips: ByAddress::default(),
            slices: Namespaced::default(),
            slice_services: Namespaced::default(),
            servers: Namespaced::default(),
            replica_sets: Namespaced::default(),
            jobs: Namespaced::default(),
            zones: HashMap::new(),
            profiles: Namespaced::default(),
        }
    }

    /// A cluster whose clients are in another one. Each is named by its zone, since no node here is its
    /// own; hints and traffic policies are not meant for it.
    pub fn foreign(config: Arc<Config>) -> Self {
        Self { is_foreign: true, ..Self::new(config) }
    }

    /// Whether its clients are in another cluster.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Shares a text with the objects of the cluster.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        self.projector.text(text)
    }

    /// Shares a name with the objects of the cluster.
    pub fn key(&mut self, namespace: &str, name: &str) -> Key {
        self.projector.key(namespace, name)
    }

    /// A Service.
    pub fn service(&self, key: &Key) -> Option<&Service> {
        self.services.at(key)
    }

    /// A Service, by its names.
    pub fn service_named(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.services.get(namespace, name)
    }

    /// The slices of a Service, in the order of their names.
    pub fn slices(&self, service: &Key) -> impl Iterator<Item = (&Arc<str>, &Arc<Slice>)> {
        self.slices.at(service).into_iter().flatten()
    }

    /// One slice of a Service.
    pub fn slice(&self, service: &Key, name: &str) -> Option<&Arc<Slice>> {
        self.slices.at(service)?.get(name)
    }

    /// The zone of a client on a node, empty when unknown; of a client in another cluster, its name.
    pub fn zone(&self, node: &Arc<str>) -> Arc<str> {
        if self.is_foreign {
            return node.clone();
        }
        self.zones.get(node).cloned().unwrap_or_default()
    }

    /// A pod, unless it is another one of the same name.
    fn pod(&self, key: &Key, uid: &str) -> Option<&Pod> {
        self.pods.at(key).filter(|pod| same_uid(&pod.uid, uid))
    }

    /// An external workload, unless it is another one of the same name.
    fn external(&self, key: &Key, uid: &str) -> Option<&External> {
        self.externals.at(key).filter(|workload| same_uid(&workload.uid, uid))
    }

    /// How many objects of each kind are kept, and how many meshed pods have a proxy whose ports cannot
    /// be read.
    pub fn sizes(&self) -> Sizes {
        let is_unreadable = |pod: &Pod| {
            let (template, proxy) = (&pod.template, pod.template.proxy);
            !template.mesh.is_empty() && (proxy.inbound.is_none() || proxy.admin.is_none() || proxy.control.is_none())
        };
        let (texts, templates) = self.projector.sizes();
        Sizes {
            kinds: [
                ("pod", self.pods.len()),
                ("service", self.services.len()),
                ("endpointslices", self.slice_services.len()),
                ("externalworkload", self.externals.len()),
                ("serviceprofile", self.profiles.len()),
                ("server", self.servers.len()),
                ("node", self.zones.len()),
                ("replicaset", self.replica_sets.len()),
                ("job", self.jobs.len()),
            ],
            texts,
            templates,
            profile_problems: self.profiles.iter().map(|(_, source)| source.spec.problems.len()).sum(),
            unreadable_proxies: self.pods.iter().filter(|(_, pod)| is_unreadable(pod)).count(),
        }
    }
}

/// How much is kept of a cluster.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Objects by kind.
    pub kinds: [(&'static str, usize); 9],
    /// Shared texts.
    pub texts: usize,
    /// Shared pod templates.
    pub templates: usize,
    /// Parts of ServiceProfiles that are left out.
    pub profile_problems: usize,
    /// Meshed pods with a proxy whose ports cannot be read.
    pub unreadable_proxies: usize,
}
