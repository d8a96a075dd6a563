//! What a Lease says, and when another may take it.

use k8s_openapi::{api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A Lease as it was seen, and when it was seen to be so first.
#[derive(Debug)]
pub(super) struct Observed {
    spec: LeaseSpec,
    since: Instant,
}

impl Observed {
    /// What is known after the Lease was read.
    pub(super) fn update(before: Option<Self>, spec: Option<&LeaseSpec>) -> Self {
        match before {
            Some(before) if spec == Some(&before.spec) => before,
            _ => Self { spec: spec.cloned().unwrap_or_default(), since: Instant::now() },
        }
    }

    /// Who holds it; empty when nobody does.
    pub(super) fn holder(&self) -> &str {
        holder(Some(&self.spec))
    }

    /// When it may be taken if nothing is written until then. The holder says for how long it asks, since
    /// it may be of a version with other times; `usual` is for one that does not say.
    pub(super) fn free_at(&self, usual: Duration) -> Instant {
        let seconds = self.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        self.since + seconds.filter(|seconds| *seconds > 0).map_or(usual, Duration::from_secs)
    }
}

/// Who holds a Lease; empty when nobody does.
pub(super) fn holder(spec: Option<&LeaseSpec>) -> &str {
    spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// The Lease after `identity` took or renewed it.
pub(super) fn renewed(mut spec: LeaseSpec, identity: &str, duration: Duration, now: Timestamp) -> LeaseSpec {
    if holder(Some(&spec)) != identity {
        let is_new = spec.acquire_time.is_none() && spec.lease_transitions.is_none();
        let transitions = spec.lease_transitions.unwrap_or_default();
        spec.lease_transitions = Some(if is_new { 0 } else { transitions.saturating_add(1) });
        spec.holder_identity = Some(identity.to_owned());
        spec.acquire_time = Some(MicroTime(now));
    }
    spec.lease_duration_seconds = Some(i32::try_from(duration.as_secs().max(1)).unwrap_or(i32::MAX));
    spec.renew_time = Some(MicroTime(now));
    spec
}

/// The Lease after its holder gave it back.
pub(super) fn released(mut spec: LeaseSpec, now: Timestamp) -> LeaseSpec {
    spec.holder_identity = None;
    spec.lease_duration_seconds = Some(1);
    spec.renew_time = Some(MicroTime(now));
    spec
}
