//! Metrics of the certificate authority.

use crate::{clock::Clock, current::CurrentAuthority, denied::Denied};
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};
use std::{fmt, time::Duration};

/// Counts what the authority does.
#[derive(Clone)]
pub struct Metrics {
    issued: Counter,
    shortened: Counter,
    denied: Family<Reason, Counter>,
    reviews: Histogram,
    updates: Family<UpdateOutcome, Counter>,
    expires_soon: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) lost_events: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpdateOutcome {
    outcome: &'static str,
}

impl Metrics {
    /// Registers the metrics. Lives of certificates are computed at scrape time.
    pub fn register(registry: &mut Registry, current: CurrentAuthority, clock: Clock) -> Self {
        let metrics = Self {
            issued: Counter::default(),
            shortened: Counter::default(),
            denied: Family::default(),
            reviews: Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            updates: Family::default(),
            expires_soon: Gauge::default(),
            waiting: Gauge::default(),
            lost_events: Counter::default(),
        };
        registry.register("identity_certificates_issued", "Certificates issued", metrics.issued.clone());
        let help = "Certificates that end before half of their configured lifetime, because the issuer does";
        registry.register("identity_certificates_shortened", help, metrics.shortened.clone());
        registry.register("identity_certificates_denied", "Requests denied, by reason", metrics.denied.clone());
        registry.register(
            "identity_token_review_seconds",
            "Time of token reviews, in seconds",
            metrics.reviews.clone(),
        );
        registry.register("identity_issuer_updates", "Changed issuer files, by outcome", metrics.updates.clone());
        registry.register(
            "identity_token_reviews_waiting",
            "Tokens that wait for their review",
            metrics.waiting.clone(),
        );
        let help = "1 when issuer or trust anchors end before a new certificate would, so that it is shortened";
        registry.register("identity_issuer_expires_soon", help, metrics.expires_soon.clone());
        let help = "Kubernetes events that were not written";
        registry.register("identity_events_lost", help, metrics.lost_events.clone());
        registry.register_collector(Box::new(Lives { current, clock }));
        metrics
    }

    pub(crate) fn issued(&self, is_short: bool) {
        self.issued.inc();
        if is_short {
            self.shortened.inc();
        }
    }

    pub(crate) fn denied(&self, denied: &Denied) {
        self.denied.get_or_create(&Reason { reason: denied.reason() }).inc();
    }

    pub(crate) fn reviewed(&self, took: Duration) {
        self.reviews.observe(took.as_secs_f64());
    }

    pub(crate) fn issuer_update(&self, outcome: &'static str) {
        self.updates.get_or_create(&UpdateOutcome { outcome }).inc();
    }

    pub(crate) fn issuer_expires_soon(&self, is_soon: bool) {
        self.expires_soon.set(i64::from(is_soon));
    }
}

/// What is left of the lives of issuer and trust anchors.
#[derive(Debug)]
struct Lives {
    current: CurrentAuthority,
    clock: Clock,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnchorLabels {
    position: usize,
    subject: String,
}

impl Collector for Lives {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (authority, now) = (self.current.get(), self.clock.now());
        let issuer_end = authority.as_ref().map(|authority| authority.issuer().validity().not_after);
        let issuer = ConstGauge::new(issuer_end.map_or(0.0, |end| seconds_until(end, now)));
        let help = "Seconds until the issuer certificate expires";
        issuer.encode(encoder.encode_descriptor("issuer_cert_ttl_seconds", help, None, issuer.metric_type())?)?;
        let Some(authority) = authority else {
            return Ok(());
        };
        let help = "Seconds until a trust anchor expires";
        let kind = ConstGauge::new(0.0).metric_type();
        let mut anchors = encoder.encode_descriptor("trust_anchor_ttl_seconds", help, None, kind)?;
        for (i, anchor) in authority.anchors().iter().enumerate() {
            let labels = AnchorLabels { position: i + 1, subject: anchor.subject.clone() };
            let life = ConstGauge::new(seconds_until(anchor.validity.not_after, now));
            life.encode(anchors.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn seconds_until(end: Timestamp, now: Timestamp) -> f64 {
    end.duration_since(now).as_secs_f64()
}
