//! What the webhook counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Counts of verdicts.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    verdicts: Family<Labels, Counter>,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    Warned,
    Denied,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

impl Metrics {
    /// Makes the metrics known to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("sp_validator_verdicts", "ServiceProfiles judged", metrics.verdicts.clone());
        metrics
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Allowed => "allowed",
            Outcome::Warned => "warned",
            Outcome::Denied => "denied",
        };
        self.verdicts.get_or_create(&Labels { outcome }).inc();
    }
}
