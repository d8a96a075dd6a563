//! What is known of each watch: metrics, readiness and the diagnostics dump.

use super::{Need, Shared, Sink};
use crate::readiness::Pending;
use linkerd_k8s::{ObjectId, Resource};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// Describes the state of a watch.
pub type Describe = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Phase of a watch that has listed its kind.
const WATCHING: &str = "watching";

/// Metrics of all watches of a process.
#[derive(Clone, Default)]
pub struct WatchMetrics {
    events: Family<EventLabels, Counter>,
    errors: Family<KindLabels, Counter>,
    undecodable: Family<KindLabels, Gauge>,
    synced: Family<KindLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
    group: &'static str,
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    op: &'static str,
    kind: &'static str,
    group: &'static str,
    version: &'static str,
}

impl WatchMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("kube_watch_events", "Events of watches", metrics.events.clone());
        registry.register("kube_watch_errors", "Errors of watches, which are tried again", metrics.errors.clone());
        let help = "Objects that cannot be decoded and are treated as absent";
        registry.register("kube_watch_undecodable_objects", help, metrics.undecodable.clone());
        let help = "1 once the kind was listed completely, 0 before, and while the cluster lacks it";
        registry.register("kube_watch_synced", help, metrics.synced.clone());
        metrics
    }
}

/// State of one watch, which its task updates and the diagnostics dump shows.
#[derive(Clone)]
pub(super) struct WatchStatus {
    labels: KindLabels,
    metrics: WatchMetrics,
    pub(super) need: Need,
    state: Arc<Mutex<State>>,
}

struct State {
    phase: &'static str,
    pending: Option<Pending>,
    objects: usize,
    undecodable: HashMap<ObjectId, Undecodable>,
    last_event: Option<Instant>,
    last_error: Option<String>,
}

struct Undecodable {
    resource_version: String,
    reason: String,
}

impl WatchStatus {
    pub(super) fn new<T: Resource>(metrics: &WatchMetrics, need: Need, pending: Option<Pending>) -> Self {
        let state = State {
            phase: "listing",
            pending,
            objects: 0,
            undecodable: HashMap::new(),
            last_event: None,
            last_error: None,
        };
        let labels = KindLabels { kind: T::KIND, group: T::GROUP, version: T::VERSION };
        metrics.synced.get_or_create(&labels).set(0);
        Self { labels, metrics: metrics.clone(), need, state: Arc::new(Mutex::new(state)) }
    }

    /// Whether the last list is complete, or was before an error.
    pub(super) fn is_synced(&self) -> bool {
        self.state.lock().phase == WATCHING
    }

    pub(super) fn describe(&self) -> impl Fn() -> serde_json::Value + Send + Sync + 'static {
        let state = self.state.clone();
        move || {
            let state = state.lock();
            let undecodable = state.undecodable.iter().map(|(id, bad)| (id.to_string(), bad.reason.as_str().into()));
            serde_json::json!({
                "phase": state.phase,
                "objectsAtLastList": state.objects,
                "undecodable": undecodable.collect::<serde_json::Map<_, _>>(),
                "secondsSinceLastEvent": state.last_event.map(|at| at.elapsed().as_secs()),
                "lastError": state.last_error,
            })
        }
    }

    pub(super) fn event(&self, op: &'static str) {
        let KindLabels { kind, group, version } = self.labels;
        self.metrics.events.get_or_create(&EventLabels { op, kind, group, version }).inc();
        self.state.lock().last_event = Some(Instant::now());
    }

    /// A complete list was applied: the watch is ready.
    pub(super) fn synced(&self, live: &HashSet<ObjectId>) {
        let mut state = self.state.lock();
        state.phase = WATCHING;
        state.objects = live.len();
        state.pending = None;
        state.last_error = None;
        state.undecodable.retain(|id, _| live.contains(id));
        self.metrics.undecodable.get_or_create(&self.labels).set(state.undecodable.len() as i64);
        self.metrics.synced.get_or_create(&self.labels).set(1);
    }

    /// The cluster lacks the kind; an optional one does not hold back readiness. Returns whether this
    /// is news.
    pub(super) fn absent(&self) -> bool {
        let mut state = self.state.lock();
        let news = state.phase != "absent";
        state.phase = "absent";
        if self.need != Need::Required {
            state.pending = None;
        }
        self.metrics.synced.get_or_create(&self.labels).set(0);
        news
    }

    pub(super) fn error(&self, error: &dyn std::error::Error) {
        self.metrics.errors.get_or_create(&self.labels).inc();
        self.state.lock().last_error = Some(error.to_string());
    }

    /// Hands an object to its index: as it is, or as absent when it cannot be decoded.
    pub(super) fn apply<T, S: Sink<T>>(
        &self,
        op: &'static str,
        sink: &Shared<S>,
        id: &ObjectId,
        version: &str,
        object: Result<T, String>,
    ) {
        self.event(op);
        match object {
            Ok(object) => {
                self.decodable(id);
                sink.lock().apply(object);
            }
            Err(reason) => {
                self.undecodable(id, version, reason);
                sink.lock().delete(id);
            }
        }
    }

    /// Tells an index that an object is gone.
    pub(super) fn delete<T, S: Sink<T>>(&self, sink: &Shared<S>, id: &ObjectId) {
        self.event("Delete");
        self.decodable(id);
        sink.lock().delete(id);
    }

    /// Notes an object that cannot be decoded, and logs it once for each of its versions.
    fn undecodable(&self, id: &ObjectId, resource_version: &str, reason: String) {
        let mut state = self.state.lock();
        if state.undecodable.get(id).is_some_and(|known| known.resource_version == resource_version) {
            return;
        }
        let kind = self.labels.kind;
        tracing::warn!(kind, object = %id, reason, "object cannot be decoded and is treated as absent; correct the field");
        state.undecodable.insert(id.clone(), Undecodable { resource_version: resource_version.to_owned(), reason });
        self.metrics.undecodable.get_or_create(&self.labels).set(state.undecodable.len() as i64);
    }

    /// Forgets that an object could not be decoded: it can now, or it is gone.
    fn decodable(&self, id: &ObjectId) {
        let mut state = self.state.lock();
        if state.undecodable.remove(id).is_some() {
            self.metrics.undecodable.get_or_create(&self.labels).set(state.undecodable.len() as i64);
        }
    }
}
