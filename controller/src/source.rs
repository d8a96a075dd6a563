//! Where objects come from: a cluster, or objects in memory that a folder of manifests fills.
//!
//! Both feed the same events to the same indexes: objects that are, objects that are gone, and the end
//! of a complete list, at which everything that was not in it is gone.

mod cluster;
mod decoded;
mod folder;
mod foreign;
mod memory;
mod status;

pub use self::{
    folder::{Document, Folder, Problem, read_documents},
    foreign::ForeignWatches,
    memory::{ObjectKind, Objects},
    status::{Describe, WatchMetrics},
};

use crate::{
    args::{Common, Overrides},
    client::{self, ClientError},
    tasks::Tasks,
};
use linkerd_k8s::{ObjectId, Resource};
use parking_lot::Mutex;
use std::{collections::HashSet, convert::Infallible, sync::Arc};

/// What an index does with one kind of object.
///
/// Calls are quick and never wait: they run under the index's lock.
pub trait Sink<T>: Send + 'static {
    /// The object is so now.
    fn apply(&mut self, object: T);
    /// The object is gone.
    fn delete(&mut self, id: &ObjectId);
    /// A complete list was applied: every object of this kind that is not in `live` is gone.
    fn reset(&mut self, live: &HashSet<ObjectId>);
}

/// An index that watches fill and servers read.
pub type Shared<I> = Arc<Mutex<I>>;

/// A place that objects come from.
#[derive(Clone)]
pub enum Source {
    /// The API server of a cluster.
    Cluster(kube::Client),
    /// Objects in memory.
    Memory(Objects),
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path of manifests that cannot be read.
    #[error("cannot read manifests: {0}; check --manifests")]
    Manifests(#[from] std::io::Error),
    /// No client for the cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Source {
    /// Opens the source that the arguments name: a folder of manifests, else a cluster.
    ///
    /// # Errors
    /// When the path does not exist or there is no configuration of a cluster.
    pub async fn open(common: &Common, tasks: &Tasks) -> Result<Self, SourceError> {
        Self::open_as(common, &Overrides::default(), tasks).await
    }

    /// Like [`Source::open`], with arguments that override the kubeconfig.
    ///
    /// # Errors
    /// When the path does not exist or there is no configuration of a cluster.
    pub async fn open_as(common: &Common, overrides: &Overrides, tasks: &Tasks) -> Result<Self, SourceError> {
        let Some(path) = &common.manifests else {
            return Ok(Self::Cluster(client::connect_as(common, overrides).await?));
        };
        let (mut folder, objects) = (Folder::new([path.clone()])?, Objects::default());
        load(&mut folder, &objects).await;
        tasks.spawn("manifests", feed(folder, objects.clone()));
        Ok(Self::Memory(objects))
    }
}

/// Keeps objects in memory equal to a folder of manifests.
async fn feed(mut folder: Folder, objects: Objects) -> Result<(), Infallible> {
    loop {
        load(&mut folder, &objects).await;
    }
}

async fn load(folder: &mut Folder, objects: &Objects) {
    let (documents, problems) = folder.next().await;
    problems.iter().for_each(|problem| tracing::warn!(%problem, "bad manifest"));
    let documents = documents.into_iter().filter(|document| !document.is_kustomization());
    objects.replace(documents.map(|document| document.object));
}

/// Whether a process can do without a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The process is not ready before the kind was listed.
    Required,
    /// A cluster may lack the kind, now or later: then it has no such objects.
    Optional,
    /// A cluster may lack the kind, or may not let us see it: then it has no such objects, until it does.
    IfPermitted,
}

/// Which objects of a kind are watched.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only objects whose labels this selects, in the API server's syntax.
    pub label_selector: Option<String>,
    /// Only objects whose fields this selects, in the API server's syntax. Objects in memory are not
    /// selected by fields or labels.
    pub field_selector: Option<String>,
}

/// Starts the watches of a process.
#[derive(Clone)]
pub struct Watches {
    source: Source,
    tasks: Tasks,
    metrics: WatchMetrics,
}

impl Watches {
    /// Prepares to watch a source.
    pub fn new(source: Source, tasks: &Tasks) -> Self {
        Self { source, tasks: tasks.clone(), metrics: tasks.metrics.shared(WatchMetrics::register) }
    }

    /// Watches all objects of a kind, which the process needs.
    pub fn watch<T: Resource, S: Sink<T>>(&self, sink: &Shared<S>) {
        self.watch_scoped::<T, S>(sink, Need::Required, Scope::default());
    }

    /// Watches all objects of a kind that a cluster may lack.
    pub fn watch_optional<T: Resource, S: Sink<T>>(&self, sink: &Shared<S>) {
        self.watch_scoped::<T, S>(sink, Need::Optional, Scope::default());
    }

    /// Watches some objects of a kind.
    pub fn watch_scoped<T: Resource, S: Sink<T>>(&self, sink: &Shared<S>, need: Need, scope: Scope) {
        let name = format!(
            "watch of {}",
            if T::GROUP.is_empty() { T::PLURAL.to_owned() } else { format!("{}.{}", T::PLURAL, T::GROUP) }
        );
        let status = status::WatchStatus::new::<T>(&self.metrics, need, Some(self.tasks.readiness.hold(name.clone())));
        self.tasks.diagnostics.add(name.clone(), status.describe());
        let sink = sink.clone();
        match &self.source {
            Source::Cluster(client) => {
                self.tasks.spawn(name, cluster::watch::<T, S>(client.clone(), scope, sink, status));
            }
            Source::Memory(objects) => {
                self.tasks.spawn(name, memory::watch::<T, S>(objects.clone(), scope, sink, status));
            }
        }
    }
}

#[cfg(test)]
mod tests;
