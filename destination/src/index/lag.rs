//! How old changes are when they are observed.

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};
use std::{collections::BTreeMap, time::SystemTime};

/// Kinds by their plural, with the names that they have among the metrics.
const KINDS: [(&str, &str); 6] = [
    ("endpointslices", "endpointslices"),
    ("services", "services"),
    ("servers", "servers"),
    ("pods", "pods"),
    ("externalworkloads", "externalworkload"),
    ("serviceprofiles", "serviceprofiles"),
];

/// For each kind, the time from the update of an object until it was observed. It tells how late the
/// cluster is; nothing is decided by it.
#[derive(Clone, Debug)]
pub struct InformerLag(BTreeMap<&'static str, Histogram>);

impl InformerLag {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let one = |(plural, name): &(&'static str, &'static str)| {
            let histogram = Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1000.0]);
            let help = format!("Time from the update of {name} until it was observed");
            registry.register(format!("{name}_informer_lag_seconds"), help, histogram.clone());
            (*plural, histogram)
        };
        Self(KINDS.iter().map(one).collect())
    }

    /// Notes an object of a kind, which was updated at a time that has a granularity of seconds.
    pub fn observe(&self, kind: &'static str, updated: SystemTime) {
        let Some(histogram) = self.0.get(kind) else { return };
        histogram.observe(updated.elapsed().unwrap_or_default().as_secs_f64());
    }
}
