//! Sizes of the indexes, computed when they are asked for.

use crate::Policy;
use linkerd_controller::tasks::Diagnostics;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};
use serde_json::json;
use std::{collections::BTreeMap, fmt};

/// Registers the metrics of the policy service.
pub(crate) fn register(registry: &mut Registry, policy: &Policy) {
    registry.register_collector(Box::new(Sizes(policy.clone())));
}

/// Adds what the policy service knows to the diagnostics dump.
pub(crate) fn describe(diagnostics: &Diagnostics, policy: &Policy) {
    let inbound = policy.inbound.clone();
    diagnostics.add("inbound policy", move || {
        let index = inbound.lock();
        let sizes = index.sizes().into_iter().fold(BTreeMap::<_, usize>::new(), |mut sums, ((kind, _), size)| {
            *sums.entry(kind).or_default() += size;
            sums
        });
        json!({
            "sizes": sizes,
            "distinctPolicies": index.distinct_policies(),
            "problems": problems(index.problems()),
            "missingAuthentications": index.missing_authentications(),
        })
    });
    let outbound = policy.outbound.clone();
    diagnostics.add("outbound policy", move || {
        let index = outbound.lock();
        json!({
            "sizes": index.sizes(),
            "distinctPolicies": index.distinct_policies(),
            "problems": problems(index.problems()),
        })
    });
}

fn problems<'a>(
    problems: impl Iterator<Item = (&'static str, &'a linkerd_k8s::ObjectId, &'a crate::index::Problem)>,
) -> Vec<String> {
    problems.map(|(kind, id, problem)| format!("{kind} {id}: {}; {}", problem.reason, problem.effect)).collect()
}

#[derive(Debug)]
struct Sizes(Policy);

impl Collector for Sizes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut inbound: BTreeMap<&str, Vec<(String, usize)>> = BTreeMap::new();
        let mut problems: BTreeMap<&str, usize> = BTreeMap::new();
        {
            let index = self.0.inbound.lock();
            for ((kind, namespace), size) in index.sizes() {
                inbound.entry(kind).or_default().push((namespace, size));
            }
            index.problems().for_each(|(kind, _, _)| *problems.entry(kind).or_default() += 1);
        }
        for (kind, sizes) in inbound {
            let (name, help) = (format!("inbound_index_{kind}_index_size"), "Entries of the inbound index");
            let mut gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            for (namespace, size) in sizes {
                value(gauge.encode_family(&[("namespace", namespace.as_str())])?, size)?;
            }
        }
        let outbound = {
            let index = self.0.outbound.lock();
            index.problems().for_each(|(kind, _, _)| *problems.entry(kind).or_default() += 1);
            index.sizes()
        };
        for (kind, size) in outbound {
            let (name, help) = (format!("outbound_index_{kind}_index_size"), "Entries of the outbound index");
            value(encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?, size)?;
        }
        let help = "Parts of objects that are not served because something is wrong with them";
        let mut gauge = encoder.encode_descriptor("policy_object_problems", help, None, MetricType::Gauge)?;
        for (kind, count) in problems {
            value(gauge.encode_family(&[("kind", kind)])?, count)?;
        }
        Ok(())
    }
}

fn value(encoder: MetricEncoder<'_>, size: usize) -> Result<(), fmt::Error> {
    ConstGauge::new(i64::try_from(size).unwrap_or(i64::MAX)).encode(encoder)
}
