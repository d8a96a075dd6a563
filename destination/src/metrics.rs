//! Metrics and the diagnostics dump, computed when they are asked for.

use crate::{
    core::key::Key,
    index::{
        Index,
        views::{ViewCounts, ViewKey},
    },
};
use linkerd_controller::{source::Shared, tasks::Tasks};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::gauge::ConstGauge,
};
use std::{collections::BTreeMap, fmt};

/// Registers what the index shows of itself.
pub fn register(index: &Shared<Index>, tasks: &Tasks) {
    tasks.metrics.register(|registry| registry.register_collector(Box::new(IndexCollector(index.clone()))));
    let index = index.clone();
    tasks.diagnostics.add("destination", move || {
        let index = index.lock();
        let (services, workloads) = index.endpoints().sizes();
        let sizes = index.sizes();
        serde_json::json!({
            "objects": sizes.kinds.into_iter().collect::<BTreeMap<_, _>>(),
            "sharedTexts": sizes.texts,
            "sharedPodTemplates": sizes.templates,
            "watchedServices": services,
            "watchedWorkloads": workloads,
            "watchedProfiles": index.profiles().count(),
        })
    });
}

struct IndexCollector(Shared<Index>);

impl fmt::Debug for IndexCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexCollector")
    }
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ViewLabels {
    cluster: &'static str,
    namespace: String,
    service: String,
    port: u16,
    hostname: String,
    nodename: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ServiceLabels {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ProfileLabels {
    namespace: String,
    profile: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ClusterLabels {
    cluster: &'static str,
}

impl Collector for IndexCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let index = self.0.lock();
        let sizes = index.sizes();
        for (kind, count) in sizes.kinds {
            let (name, help) = (format!("{kind}_cache_size"), format!("Objects of kind {kind} that are kept"));
            gauges(&mut encoder, &name, &help, [(ClusterLabels { cluster: "local" }, count as i64)])?;
        }
        let help = "Meshed pods that are treated as unmeshed, since the ports of their proxy cannot be read";
        gauge(&mut encoder, "pods_with_unreadable_proxy", help, sizes.unreadable_proxies as i64)?;
        encode_endpoints(&index, &mut encoder)?;
        encode_profiles(&index, &mut encoder)
    }
}

fn encode_endpoints(index: &Index, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let counts = index.endpoints().counts();
    let labels = |(service, view): &(Key, ViewKey)| ViewLabels {
        cluster: "local",
        namespace: service.namespace.to_string(),
        service: service.name.to_string(),
        port: view.port,
        hostname: view.hostname.as_deref().unwrap_or_default().to_owned(),
        nodename: "",
    };
    let mut each = |name, help, value: fn(&ViewCounts) -> i64| {
        gauges(encoder, name, help, counts.iter().map(|(key, counts)| (labels(key), value(counts))))
    };
    each("endpoints_subscribers", "Streams of Get", |counts| counts.subscribers as i64)?;
    each("endpoints_pods", "Endpoints that streams of Get show", |counts| counts.endpoints as i64)?;
    each("endpoints_exists", "Whether the Service exists", |counts| i64::from(counts.exists))?;
    each("endpoints_updates", "Changes of endpoints that were published", |counts| counts.updates as i64)
}

fn encode_profiles(index: &Index, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let profiles = index.profiles();
    let (subscribers, updates) = profiles.endpoint_counts();
    gauge(encoder, "workload_subscribers", "Streams of endpoint profiles", subscribers as i64)?;
    gauge(encoder, "workload_updates", "Changes of endpoint profiles", updates as i64)?;
    let services = profiles.service_counts().into_iter().map(|(service, subscribers, _)| {
        let labels = ServiceLabels { namespace: service.namespace.to_string(), name: service.name.to_string() };
        (labels, subscribers as i64)
    });
    gauges(encoder, "service_subscribers", "Streams of profiles of Services", services)?;
    let sources: BTreeMap<_, _> = profiles.source_counts().into_iter().filter_map(|(key, n)| Some((key?, n))).collect();
    let labels = |key: &Key| ProfileLabels { namespace: key.namespace.to_string(), profile: key.name.to_string() };
    let subscribers = sources.iter().map(|(key, (subscribers, _))| (labels(key), *subscribers as i64));
    gauges(encoder, "profile_subscribers", "Streams that show a ServiceProfile", subscribers)?;
    let updates = sources.iter().map(|(key, (_, updates))| (labels(key), *updates as i64));
    gauges(encoder, "profile_updates", "Changes of profiles that were published", updates)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), fmt::Error> {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// Writes a family of gauges. Counters are written as gauges too, since their names have no suffix.
fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, i64)>,
) -> Result<(), fmt::Error> {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, ConstGauge::new(0_i64).metric_type())?;
    values.try_for_each(|(labels, value)| encode_one(&mut family, &labels, value))
}

fn encode_one<L: EncodeLabelSet>(family: &mut MetricEncoder<'_>, labels: &L, value: i64) -> Result<(), fmt::Error> {
    ConstGauge::new(value).encode(family.encode_family(labels)?)
}
