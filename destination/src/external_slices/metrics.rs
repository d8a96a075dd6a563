//! Metrics of the queue, under the names that Kubernetes' own queues have.

use crate::core::key::Key;
use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{counter::Counter, family::Family, gauge::ConstGauge, histogram::Histogram},
    registry::Registry,
};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Bounds of the histograms, in seconds: from 10 ns, ten times each.
const BOUNDS: [f64; 10] = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    name: &'static str,
}

const LABELS: QueueLabels = QueueLabels { name: "endpoints_controller_workqueue" };

/// Metrics of the one queue of the process.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    adds: Counter,
    retries: Counter,
    drops: Counter,
    waited: Histogram,
    worked: Histogram,
    now: Arc<Mutex<Now>>,
}

/// What is waiting and under way.
#[derive(Debug, Default)]
struct Now {
    depth: usize,
    running: BTreeMap<Key, Instant>,
}

impl Default for QueueMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BOUNDS);
        let (waited, worked) = (histogram(), histogram());
        let [adds, retries, drops] = [(); 3].map(|()| Counter::default());
        Self { adds, retries, drops, waited, worked, now: Arc::default() }
    }
}

impl QueueMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let mut counter = |name: &str, help: &str| {
            let family = Family::<QueueLabels, Counter>::default();
            registry.register(name, help, family.clone());
            family.get_or_create_owned(&LABELS)
        };
        let metrics = Self {
            adds: counter("workqueue_adds", "Services that were put into the queue"),
            retries: counter("workqueue_retries", "Failures that are tried again"),
            drops: counter("workqueue_drops", "Services that were given up until there is news of them"),
            ..Self::default()
        };
        registry.register_collector(Box::new(QueueCollector(metrics.clone())));
        metrics
    }

    pub(super) fn added(&self) {
        self.adds.inc();
    }

    pub(super) fn retried(&self) {
        self.retries.inc();
    }

    pub(super) fn dropped(&self) {
        self.drops.inc();
    }

    pub(super) fn depth(&self, depth: usize) {
        self.now.lock().depth = depth;
    }

    pub(super) fn begun(&self, key: &Key, waited: Duration, now: Instant) {
        self.waited.observe(waited.as_secs_f64());
        self.now.lock().running.insert(key.clone(), now);
    }

    pub(super) fn ended(&self, key: &Key, now: Instant) {
        if let Some(begun) = self.now.lock().running.remove(key) {
            self.worked.observe((now - begun).as_secs_f64());
        }
    }

    pub(super) fn cleared(&self) {
        *self.now.lock() = Now::default();
    }
}

#[derive(Debug)]
struct QueueCollector(QueueMetrics);

impl Collector for QueueCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (depth, ages) = {
            let now = self.0.now.lock();
            let ages: Vec<f64> = now.running.values().map(|begun| begun.elapsed().as_secs_f64()).collect();
            (now.depth as f64, ages)
        };
        let longest = ages.iter().copied().fold(0.0, f64::max);
        let mut gauge = |name: &str, help: &str, value: f64| {
            let metric = ConstGauge::new(value);
            let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(family.encode_family(&LABELS)?)
        };
        gauge("workqueue_depth", "Services that wait in the queue", depth)?;
        gauge("workqueue_unfinished_work_seconds", "Age of all work that is under way, added up", ages.iter().sum())?;
        gauge("workqueue_longest_running_processor_seconds", "Age of the oldest work that is under way", longest)?;
        let mut histogram = |name: &str, help: &str, metric: &Histogram| {
            let mut family = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(family.encode_family(&LABELS)?)
        };
        histogram("workqueue_queue_duration_seconds", "How long Services waited in the queue", &self.0.waited)?;
        histogram("workqueue_work_duration_seconds", "How long the work on a Service took", &self.0.worked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_have_the_names_of_kubernetes_queues() {
        let mut registry = Registry::default();
        let metrics = QueueMetrics::register(&mut registry);
        let (key, now) = (Key { namespace: "ns".into(), name: "web".into() }, Instant::now());
        metrics.added();
        metrics.depth(3);
        metrics.begun(&key, Duration::from_millis(2), now);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let name = "{name=\"endpoints_controller_workqueue\"}";
        for line in ["depth{} 3.0", "adds_total{} 1", "retries_total{} 0", "drops_total{} 0"] {
            let line = format!("\nworkqueue_{}\n", line.replace("{}", name));
            assert!(text.contains(&line), "{line} in {text}");
        }
        let labels = "name=\"endpoints_controller_workqueue\"";
        for metric in ["unfinished_work_seconds", "longest_running_processor_seconds"] {
            assert!(text.contains(&format!("\nworkqueue_{metric}{{{labels}}} ")), "{metric} in {text}");
        }
        let bucket = |le: &str| format!("\nworkqueue_queue_duration_seconds_bucket{{le=\"{le}\",{labels}}}");
        assert!(text.contains(&bucket("10.0")) && text.contains(&bucket("+Inf")), "{text}");
        metrics.cleared();
    }
}
