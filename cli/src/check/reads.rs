//! What was read of the cluster: each kind of object once in an attempt.

use super::verdict::Finding;
use crate::cluster::failure;
use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::version::Info};
use kube::{
    Api, Client, Resource,
    api::{ListParams, ObjectList, PartialObjectMeta},
};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::{any::Any, collections::HashMap, fmt::Debug, future::Future, sync::Arc};
use tokio::sync::OnceCell;

/// Objects that are read at once.
const PAGE: u32 = 500;

type Cell = Arc<OnceCell<Arc<dyn Any + Send + Sync>>>;

/// A cluster, and what was read of it.
pub struct Reads {
    client: Client,
    cells: Mutex<HashMap<String, Cell>>,
}

/// A kind of object that can be read.
pub trait Kind: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static> Kind for K {}

impl Reads {
    /// Nothing was read yet.
    pub fn new(client: Client) -> Self {
        Self { client, cells: Mutex::default() }
    }

    /// The client, for what is not read but asked.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.cells.lock().clear();
    }

    /// The version of the server.
    pub async fn version(&self) -> Result<Arc<Info>, Finding> {
        self.once("version".to_owned(), async {
            self.client.apiserver_version().await.map_err(refused("the version of the server"))
        })
        .await
    }

    /// All objects of a kind that have the labels.
    pub async fn all<K: Kind>(&self, labels: &str) -> Result<Arc<Vec<K>>, Finding> {
        self.once(format!("{} {labels}", kind::<K>()), list(Api::all(self.client()), labels)).await
    }

    /// The objects of a kind in a namespace.
    pub async fn within<K: Kind + Resource<Scope = NamespaceResourceScope>>(
        &self,
        namespace: &str,
    ) -> Result<Arc<Vec<K>>, Finding> {
        let api = Api::namespaced(self.client(), namespace);
        self.once(format!("{} in {namespace}", kind::<K>()), list(api, "")).await
    }

    /// The objects of a kind in a namespace, or in all of them.
    pub async fn maybe_within<K: Kind + Resource<Scope = NamespaceResourceScope>>(
        &self,
        namespace: Option<&str>,
    ) -> Result<Arc<Vec<K>>, Finding> {
        match namespace {
            Some(namespace) => self.within(namespace).await,
            None => self.all("").await,
        }
    }

    /// Metadata of all objects of a kind that have the labels.
    pub async fn metadata<K: Kind>(&self, labels: &str) -> Result<Arc<Vec<PartialObjectMeta<K>>>, Finding> {
        let api: Api<K> = Api::all(self.client());
        let read = pages::<K, _>(labels, async |parameters| api.list_metadata(&parameters).await);
        self.once(format!("metadata of {} {labels}", kind::<K>()), read).await
    }

    /// An object in a namespace, if it is there.
    pub async fn one<K: Kind + Resource<Scope = NamespaceResourceScope>>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Option<K>>, Finding> {
        let api: Api<K> = Api::namespaced(self.client(), namespace);
        let read = async { api.get_opt(name).await.map_err(refused(&format!("{} {namespace}/{name}", kind::<K>()))) };
        self.once(format!("{} {namespace}/{name}", kind::<K>()), read).await
    }

    /// An object outside of namespaces, if it is there.
    pub async fn global<K: Kind>(&self, name: &str) -> Result<Arc<Option<K>>, Finding> {
        let api: Api<K> = Api::all(self.client());
        let read = async { api.get_opt(name).await.map_err(refused(&format!("{} {name}", kind::<K>()))) };
        self.once(format!("{} {name}", kind::<K>()), read).await
    }

    /// What is read under this key: once, unless it fails.
    pub async fn once<T: Send + Sync + 'static>(
        &self,
        key: String,
        read: impl Future<Output = Result<T, Finding>>,
    ) -> Result<Arc<T>, Finding> {
        let cell = Arc::clone(self.cells.lock().entry(key).or_default());
        let value = cell.get_or_try_init(|| async { Ok::<_, Finding>(Arc::new(read.await?) as Arc<_>) }).await?;
        Arc::clone(value).downcast().map_err(|_| Finding::error("two things were read under one name"))
    }
}

async fn list<K: Kind>(api: Api<K>, labels: &str) -> Result<Vec<K>, Finding> {
    let mut items = pages::<K, K>(labels, async |parameters| api.list(&parameters).await).await?;
    // Nobody looks at the managed fields, which are half of many an object.
    items.iter_mut().for_each(|object| object.meta_mut().managed_fields = None);
    Ok(items)
}

/// All objects of kind `K`, page by page.
async fn pages<K: Kind, T: Clone>(
    labels: &str,
    page: impl AsyncFn(ListParams) -> kube::Result<ObjectList<T>>,
) -> Result<Vec<T>, Finding> {
    let mut parameters = ListParams::default().labels(labels).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page = page(parameters.clone()).await.map_err(refused(&kind::<K>()))?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(items),
        }
    }
}

fn kind<K: Resource<DynamicType = ()>>() -> String {
    K::kind(&()).into_owned()
}

/// Why something could not be read.
fn refused(what: &str) -> impl Fn(kube::Error) -> Finding {
    move |error| Finding::Error(format!("cannot read {what}: {}", failure(&error)))
}
