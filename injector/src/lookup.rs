//! What a pod does not say itself: its namespace's annotations, and who owns its owner.

use crate::{
    core::{
        config::Namespace as NamespaceView,
        owner::{Intermediate, IntermediateKind},
    },
    metrics::Metrics,
};
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind, PartialObjectMeta},
};
use linkerd_controller::source::{ObjectKind, Sink, Source};
use linkerd_k8s::{Job, Meta, Namespace, ObjectId, OwnerReference, ReplicaSet, Resource};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::Instant,
};

/// Longest time for one question to the API server: the API server itself waits 10 s for us.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long an owner that was found is known. Owners do not change.
const KNOWN: Duration = Duration::from_secs(600);
/// How long an owner that was not found is not asked for again.
const UNKNOWN: Duration = Duration::from_secs(5);
/// Questions that are under way at once. A burst of pods reuses few connections, since making many costs
/// more than waiting for one.
const CONCURRENCY: usize = 16;
/// Owners that are remembered.
const CAPACITY: usize = 10_000;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The API server refused or failed.
    #[error("cannot get {what}: {source}")]
    Kube {
        /// What was asked for.
        what: String,
        /// What went wrong.
        source: Box<kube::Error>,
    },
    /// The API server did not answer.
    #[error("cannot get {0}: the API server did not answer in time")]
    Timeout(String),
    /// The API server answered something else.
    #[error("cannot read {what}: {source}")]
    Decode {
        /// What was asked for.
        what: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Annotations of all namespaces, filled by a watch.
#[derive(Debug)]
pub struct Namespaces {
    known: HashMap<String, NamespaceView>,
    metrics: Metrics,
}

impl Namespaces {
    /// Knows none yet.
    pub fn new(metrics: &Metrics) -> Self {
        Self { known: HashMap::new(), metrics: metrics.clone() }
    }

    /// A namespace, if it is known.
    pub fn get(&self, name: &str) -> Option<NamespaceView> {
        self.known.get(name).cloned()
    }

    fn count(&self) {
        self.metrics.namespaces(self.known.len());
    }
}

impl Sink<Namespace> for Namespaces {
    fn apply(&mut self, namespace: Namespace) {
        let view = view(namespace);
        self.known.insert(view.name.clone(), view);
        self.count();
    }

    fn delete(&mut self, id: &ObjectId) {
        self.known.remove(&id.name);
        self.count();
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        self.known.retain(|name, _| live.contains(&ObjectId::new("", name)));
        self.count();
    }
}

fn view(namespace: Namespace) -> NamespaceView {
    NamespaceView { name: namespace.metadata.name, annotations: namespace.metadata.annotations }
}

/// Questions to the source of objects, with a memory of owners.
pub struct Lookup {
    source: Source,
    owners: Mutex<HashMap<Key, Answer>>,
    gate: Semaphore,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: IntermediateKind,
    namespace: String,
    name: String,
    uid: String,
}

/// An answer, or a question that is under way: many pods of one owner come at once.
#[derive(Clone)]
struct Answer {
    asked: Instant,
    owners: Arc<OnceCell<Option<Vec<OwnerReference>>>>,
}

impl Answer {
    fn is_fresh(&self, now: Instant) -> bool {
        let lifetime = if matches!(self.owners.get(), Some(None)) { UNKNOWN } else { KNOWN };
        now.duration_since(self.asked) < lifetime
    }
}

impl Lookup {
    /// Asks a source.
    pub fn new(source: Source) -> Self {
        Self { source, owners: Mutex::default(), gate: Semaphore::new(CONCURRENCY) }
    }

    /// Asks for a namespace that the watch does not know of (yet).
    ///
    /// # Errors
    /// No answer, which is not the same as no namespace.
    pub async fn namespace(&self, name: &str) -> Result<Option<NamespaceView>, LookupError> {
        Ok(self.metadata::<Namespace>("", name).await?.map(|metadata| view(Namespace { metadata })))
    }

    /// The owners of an object between a pod and its owner; `None` when it is not found.
    pub async fn owners(&self, namespace: &str, between: &Intermediate) -> Option<Vec<OwnerReference>> {
        let key = Key {
            kind: between.kind,
            namespace: namespace.to_owned(),
            name: between.name.clone(),
            uid: between.uid.clone(),
        };
        let answer = self.answer(&key);
        let ask = || async {
            let metadata = match between.kind {
                IntermediateKind::ReplicaSet => self.metadata::<ReplicaSet>(namespace, &between.name).await,
                IntermediateKind::Job => self.metadata::<Job>(namespace, &between.name).await,
            };
            match metadata {
                Ok(metadata) => metadata.map(|metadata| metadata.owner_references),
                Err(error) => {
                    tracing::warn!(%error, namespace, "the owner of a pod's owner is not known");
                    None
                }
            }
        };
        answer.owners.get_or_init(ask).await.clone()
    }

    fn answer(&self, key: &Key) -> Answer {
        let now = Instant::now();
        let mut owners = self.owners.lock();
        if let Some(answer) = owners.get(key).filter(|answer| answer.is_fresh(now)) {
            return answer.clone();
        }
        if owners.len() >= CAPACITY {
            owners.retain(|_, answer| answer.is_fresh(now));
        }
        if owners.len() >= CAPACITY {
            owners.clear();
        }
        let answer = Answer { asked: now, owners: Arc::default() };
        owners.insert(key.clone(), answer.clone());
        answer
    }

    async fn metadata<T: Resource>(&self, namespace: &str, name: &str) -> Result<Option<Meta>, LookupError> {
        let what = || format!("{} {}", T::KIND, ObjectId::new(namespace, name));
        let object = match &self.source {
            Source::Memory(objects) => objects
                .get(&ObjectKind::named::<T>(), &ObjectId::new(namespace, name))
                .map(|object| object["metadata"].clone()),
            Source::Cluster(client) => tokio::time::timeout(DEADLINE, self.ask::<T>(client.clone(), namespace, name))
                .await
                .map_err(|_| LookupError::Timeout(what()))?
                .map_err(|source| LookupError::Kube { what: what(), source: Box::new(source) })?,
        };
        let decode = |metadata: Value| {
            Meta::deserialize(metadata).map_err(|source| LookupError::Decode { what: what(), source })
        };
        object.map(decode).transpose()
    }

    /// Asks the API server for the metadata of an object.
    async fn ask<T: Resource>(
        &self,
        client: Client,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, kube::Error> {
        // The gate is never closed, so waiting at it cannot fail.
        let _permit = self.gate.acquire().await;
        let kind = GroupVersionKind::gvk(T::GROUP, T::VERSION, T::KIND);
        let resource = ApiResource::from_gvk_with_plural(&kind, T::PLURAL);
        let api: Api<DynamicObject> = match namespace {
            "" => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, namespace, &resource),
        };
        let metadata = |found: Option<PartialObjectMeta<DynamicObject>>| {
            found.and_then(|object| serde_json::to_value(object.metadata).ok())
        };
        api.get_metadata_opt(name).await.map(metadata)
    }
}

#[cfg(test)]
mod tests;
