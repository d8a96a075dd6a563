//! What the webhook counts.

use crate::core::{
    annotations::{CATALOGUE, Shown},
    decision::{AnnotationAt, SkipReason},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{borrow::Cow, collections::BTreeMap, time::Duration};

/// Labels of a request or response. Their names are part of dashboards, their number is large.
type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// Metrics of the webhook. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Labels, Counter>,
    responses: Family<Labels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    duration: Histogram,
    config_valid: Gauge,
    namespaces: Family<CacheLabels, Gauge>,
    /// Counts events that were not written.
    pub events_lost: Counter,
}

/// Why an object could not be judged or was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no good configuration.
    Config,
    /// The namespace cannot be read.
    Namespace,
    /// The object has not the shape of its kind.
    Malformed,
    /// The object must be changed by its author.
    Rejected,
}

/// An object that is judged, as labels tell of it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Kind of its owner, empty for one that is not known.
    pub owner_kind: &'static str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Where the annotation was that decided.
    pub annotation_at: AnnotationAt,
    /// Its own annotations.
    pub annotations: &'a BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cluster: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            responses: Family::default(),
            errors: Family::default(),
            // 0.25 ms to 2 s.
            duration: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            config_valid: Gauge::default(),
            namespaces: Family::default(),
            events_lost: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes the metrics known to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Objects that were to be judged";
        registry.register("proxy_inject_admission_requests", help, metrics.requests.clone());
        registry.register("proxy_inject_admission_responses", "Objects that were judged", metrics.responses.clone());
        let help = "Objects that were denied or could not be judged";
        registry.register("proxy_inject_admission_errors", help, metrics.errors.clone());
        let help = "Seconds that an object took to be judged";
        registry.register("proxy_inject_admission_duration_seconds", help, metrics.duration.clone());
        let help = "1 while the configuration in the files can be used, 0 while it cannot";
        registry.register("proxy_inject_config_valid", help, metrics.config_valid.clone());
        registry.register("namespace_cache_size", "Namespaces that are known", metrics.namespaces.clone());
        registry.register("proxy_inject_events_lost", "Events that were not written", metrics.events_lost.clone());
        metrics
    }

    /// Counts an object that was read.
    pub fn request(&self, subject: &Subject<'_>) {
        self.requests.get_or_create(&labels(subject)).inc();
    }

    /// Counts an object that got a patch, or a pod that stays as it is.
    pub fn response(&self, subject: &Subject<'_>, skipped: Option<&[SkipReason]>) {
        let mut labels = labels(subject);
        let codes = skipped.unwrap_or_default().iter().map(|reason| reason.code()).collect::<Vec<_>>().join(",");
        labels.push(("skip", if skipped.is_some() { "true" } else { "false" }.into()));
        labels.push(("skip_reason", codes.into()));
        self.responses.get_or_create(&labels).inc();
    }

    /// Counts an object that was denied or could not be judged.
    pub fn failure(&self, failure: Failure) {
        let reason = match failure {
            Failure::Config => "config",
            Failure::Namespace => "namespace",
            Failure::Malformed => "malformed",
            Failure::Rejected => "rejected",
        };
        self.errors.get_or_create(&ErrorLabels { reason }).inc();
    }

    /// Notes how long an object took.
    pub fn took(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }

    /// Notes whether the configuration in the files can be used.
    pub fn config_valid(&self, is_valid: bool) {
        self.config_valid.set(is_valid.into());
    }

    /// Notes how many namespaces are known.
    pub fn namespaces(&self, count: usize) {
        self.namespaces.get_or_create(&CacheLabels { cluster: "local" }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

fn labels(subject: &Subject<'_>) -> Labels {
    let mut labels: Labels = vec![
        ("owner_kind", subject.owner_kind.into()),
        ("namespace", subject.namespace.to_owned().into()),
        ("annotation_at", subject.annotation_at.as_str().into()),
    ];
    let configured = CATALOGUE.iter().filter_map(|entry| {
        let (name, shown) = entry.metric?;
        Some((name, subject.annotations.get(entry.key).map_or("", |value| show(shown, value)).into()))
    });
    labels.extend(configured);
    labels
}

/// Values that are unbounded, or may be secret, are told of but not shown.
fn show(shown: Shown, value: &str) -> &'static str {
    let choices = match shown {
        Shown::Choice(choices) => choices,
        Shown::Presence => &[],
    };
    choices.iter().find(|choice| **choice == value).copied().unwrap_or("set")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Acceptance case 64.
    #[test]
    fn requests_and_responses_are_counted_without_free_text() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let annotations = [
            ("config.linkerd.io/proxy-log-level", "debug"),
            ("config.linkerd.io/proxy-await", "disabled"),
            ("config.linkerd.io/access-log", "secret"),
            ("config.linkerd.io/proxy-additional-env", "[{\"name\":\"TOKEN\",\"value\":\"secret\"}]"),
        ];
        let annotations = annotations.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let subject = Subject {
            owner_kind: "deployment",
            namespace: "emojivoto",
            annotation_at: AnnotationAt::Namespace,
            annotations: &annotations,
        };
        metrics.request(&subject);
        metrics.response(&subject, None);
        metrics.response(&subject, Some(&[SkipReason::HostNetwork, SkipReason::NotEnabled]));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let first = "proxy_inject_admission_requests_total{owner_kind=\"deployment\",namespace=\"emojivoto\",annotation_at=\"namespace\"";
        assert!(text.contains(first), "{text}");
        assert!(text.contains("proxy_await=\"disabled\""));
        assert!(text.contains("proxy_log_level=\"set\""));
        assert!(text.contains("proxy_additional_env=\"set\""));
        assert!(text.contains("access_log=\"set\""));
        assert!(!text.contains("secret"));
        assert!(text.contains("skip=\"false\",skip_reason=\"\"} 1"));
        assert!(
            text.contains("skip=\"true\",skip_reason=\"host_network_enabled,injection_enable_annotation_absent\"} 1")
        );
    }
}
