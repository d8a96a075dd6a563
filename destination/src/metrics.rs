//! Metrics and the diagnostics dump, computed when they are asked for.

use crate::{
    core::key::Key,
    index::{
        Index, InformerLag,
        cluster::Sizes,
        clusters::RemoteCluster,
        views::{ViewCounts, ViewKey},
    },
};
use linkerd_controller::{source::Shared, tasks::Tasks};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::gauge::ConstGauge,
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Registers what the index shows of itself.
pub fn register(index: &Shared<Index>, tasks: &Tasks) {
    let lag = tasks.metrics.register(|registry| {
        registry.register_collector(Box::new(IndexCollector(index.clone())));
        InformerLag::register(registry)
    });
    index.lock().note_lag(lag);
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
    cluster: Arc<str>,
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
    cluster: Arc<str>,
}

/// What the index of a cluster shows of itself.
struct Counts {
    cluster: Arc<str>,
    sizes: Sizes,
    views: BTreeMap<(Key, ViewKey), ViewCounts>,
}

impl Counts {
    fn of(cluster: &Arc<str>, index: &Index) -> Self {
        Self { cluster: cluster.clone(), sizes: index.sizes(), views: index.endpoints().counts() }
    }

    fn labels(&self) -> ClusterLabels {
        ClusterLabels { cluster: self.cluster.clone() }
    }
}

impl Collector for IndexCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let clusters: Vec<(Arc<str>, RemoteCluster)> =
            self.0.lock().clusters().iter().map(|(name, cluster)| (name.clone(), cluster.clone())).collect();
        let is_ready = |(name, cluster): &(Arc<str>, RemoteCluster)| {
            (ClusterLabels { cluster: name.clone() }, i64::from(cluster.is_ready()))
        };
        gauge(&mut encoder, "cluster_store_size", "Remote clusters", clusters.len() as i64)?;
        let help = "1 once a remote cluster has told all of its state, 0 before";
        gauges(&mut encoder, "remote_cluster_ready", help, clusters.iter().map(is_ready))?;
        let mut counts = vec![Counts::of(&"local".into(), &self.0.lock())];
        counts.extend(clusters.iter().map(|(name, cluster)| Counts::of(name, &cluster.index.lock())));
        for (position, (kind, _)) in counts[0].sizes.kinds.iter().enumerate() {
            let (name, help) = (format!("{kind}_cache_size"), format!("Objects of kind {kind} that are kept"));
            let values = counts.iter().map(|counts| (counts.labels(), counts.sizes.kinds[position].1 as i64));
            gauges(&mut encoder, &name, &help, values)?;
        }
        let help = "Meshed pods that are treated as unmeshed, since the ports of their proxy cannot be read";
        gauge(&mut encoder, "pods_with_unreadable_proxy", help, counts[0].sizes.unreadable_proxies as i64)?;
        let help = "Parts of ServiceProfiles that are left out, since they cannot be read";
        gauge(&mut encoder, "serviceprofile_invalid_parts", help, counts[0].sizes.profile_problems as i64)?;
        encode_endpoints(&counts, &mut encoder)?;
        encode_profiles(&self.0.lock(), &mut encoder)
    }
}

fn encode_endpoints(counts: &[Counts], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let labels = |cluster: &Arc<str>, (service, view): &(Key, ViewKey)| ViewLabels {
        cluster: cluster.clone(),
        namespace: service.namespace.to_string(),
        service: service.name.to_string(),
        port: view.port,
        hostname: view.hostname.as_deref().unwrap_or_default().to_owned(),
        nodename: "",
    };
    let mut each = |name, help, value: fn(&ViewCounts) -> i64| {
        let of = |counts: &'_ Counts| -> Vec<(ViewLabels, i64)> {
            counts.views.iter().map(|(key, view)| (labels(&counts.cluster, key), value(view))).collect()
        };
        gauges(encoder, name, help, counts.iter().flat_map(of))
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
