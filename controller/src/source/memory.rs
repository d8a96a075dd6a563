//! Objects in memory, watched like those of a cluster.

use super::{Scope, Shared, Sink, status::WatchStatus};
use linkerd_k8s::{ObjectId, Resource};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
};
use tokio::sync::watch;

/// Group and kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKind {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind as in manifests.
    pub kind: String,
}

impl ObjectKind {
    /// The kind of an object, by its `apiVersion` and `kind`.
    pub fn of(object: &Value) -> Option<Self> {
        let group = object["apiVersion"].as_str()?.rsplit_once('/').map_or("", |(group, _)| group);
        Some(Self { group: group.to_owned(), kind: object["kind"].as_str()?.to_owned() })
    }

    /// The kind of a slim type.
    pub fn named<T: Resource>() -> Self {
        Self { group: T::GROUP.to_owned(), kind: T::KIND.to_owned() }
    }
}

/// All objects of a cluster that exists in memory alone. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    state: Arc<Mutex<State>>,
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    version: u64,
    kinds: BTreeMap<ObjectKind, BTreeMap<ObjectId, Entry>>,
}

#[derive(Clone)]
struct Entry {
    version: u64,
    object: Arc<Value>,
}

impl Default for Objects {
    fn default() -> Self {
        Self { state: Arc::default(), version: watch::Sender::new(0) }
    }
}

impl Objects {
    /// Makes these the objects that exist. An object that did not change causes no event.
    ///
    /// Objects without `apiVersion`, `kind` or `metadata.name` are passed over.
    pub fn replace(&self, objects: impl IntoIterator<Item = Value>) {
        let mut state = self.state.lock();
        let version = state.version + 1;
        let mut kinds: BTreeMap<ObjectKind, BTreeMap<ObjectId, Entry>> = BTreeMap::new();
        for object in objects {
            let Some((kind, id)) = ObjectKind::of(&object).zip(id_of(&object)) else { continue };
            let known = state.kinds.get(&kind).and_then(|known| known.get(&id)).filter(|known| *known.object == object);
            let entry = known.cloned().unwrap_or_else(|| Entry { version, object: Arc::new(object) });
            kinds.entry(kind).or_default().insert(id, entry);
        }
        state.kinds = kinds;
        self.publish(&mut state);
    }

    /// Adds or replaces one object.
    pub fn apply(&self, object: Value) {
        let Some((kind, id)) = ObjectKind::of(&object).zip(id_of(&object)) else { return };
        let mut state = self.state.lock();
        let version = state.version + 1;
        state.kinds.entry(kind).or_default().insert(id, Entry { version, object: Arc::new(object) });
        self.publish(&mut state);
    }

    /// Removes one object.
    pub fn delete(&self, kind: &ObjectKind, id: &ObjectId) {
        let mut state = self.state.lock();
        if state.kinds.get_mut(kind).is_some_and(|objects| objects.remove(id).is_some()) {
            self.publish(&mut state);
        }
    }

    /// Objects of a kind, in order of namespace and name.
    pub fn list(&self, kind: &ObjectKind) -> Vec<Arc<Value>> {
        let state = self.state.lock();
        state.kinds.get(kind).into_iter().flatten().map(|(_, entry)| entry.object.clone()).collect()
    }

    /// One object.
    pub fn get(&self, kind: &ObjectKind, id: &ObjectId) -> Option<Arc<Value>> {
        Some(self.state.lock().kinds.get(kind)?.get(id)?.object.clone())
    }

    fn publish(&self, state: &mut State) {
        state.version += 1;
        self.version.send_replace(state.version);
    }

    fn entries(&self, kind: &ObjectKind) -> BTreeMap<ObjectId, Entry> {
        self.state.lock().kinds.get(kind).cloned().unwrap_or_default()
    }
}

fn id_of(object: &Value) -> Option<ObjectId> {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    Some(ObjectId::new(namespace, metadata["name"].as_str()?))
}

/// Watches one kind for ever.
pub(super) async fn watch<T: Resource, S: Sink<T>>(
    objects: Objects,
    scope: Scope,
    sink: Shared<S>,
    status: WatchStatus,
) -> Result<(), Infallible> {
    let kind = ObjectKind::named::<T>();
    let mut version = objects.version.subscribe();
    let mut seen: HashMap<ObjectId, u64> = HashMap::new();
    let mut synced = false;
    loop {
        version.borrow_and_update();
        let mut entries = objects.entries(&kind);
        entries.retain(|id, _| scope.namespace.as_ref().is_none_or(|namespace| *namespace == id.namespace));
        seen.retain(|id, _| {
            let is_there = entries.contains_key(id);
            if !is_there {
                status.delete(&sink, id);
            }
            is_there
        });
        for (id, entry) in &entries {
            if seen.insert(id.clone(), entry.version) != Some(entry.version) {
                let decoded = serde_path_to_error::deserialize::<_, T>(&*entry.object);
                let decoded = decoded.map_err(|error| error.to_string());
                status.apply("Apply", &sink, id, &entry.version.to_string(), decoded);
            }
        }
        if !synced {
            synced = true;
            let live: HashSet<ObjectId> = entries.into_keys().collect();
            sink.lock().reset(&live);
            status.synced(&live);
        }
        // `objects` holds the sender, so this never fails.
        let _ = version.changed().await;
    }
}
