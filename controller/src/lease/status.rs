//! What the metrics, the diagnostics and the log say of an election.

use super::{Candidacy, LeaseError};
use crate::tasks::Tasks;
use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaseLabels {
    name: String,
}

/// One gauge for each Lease of the process, under the name that Kubernetes' own components use.
type Leading = Family<LeaseLabels, Gauge>;

/// Standing of one candidate.
pub(super) struct Status {
    lease: String,
    identity: String,
    leading: Gauge,
    view: Arc<Mutex<View>>,
}

#[derive(Debug, Default)]
struct View {
    holder: String,
    is_leader: bool,
    renewed: Option<Instant>,
    last_error: Option<String>,
}

impl Status {
    pub(super) fn new(candidacy: &Candidacy, tasks: &Tasks) -> Self {
        let family = tasks.metrics.shared(|registry| {
            let family = Leading::default();
            let help = "1 while this process holds the Lease and does what only one may do, else 0";
            registry.register("leader_election_master_status", help, family.clone());
            family
        });
        let leading = family.get_or_create_owned(&LeaseLabels { name: candidacy.name.clone() });
        let lease = format!("{}/{}", candidacy.namespace, candidacy.name);
        let status = Self { lease, identity: candidacy.identity.clone(), leading, view: Arc::default() };
        tasks.diagnostics.add(format!("lease {}", status.lease), status.describe());
        status
    }

    fn describe(&self) -> impl Fn() -> serde_json::Value + Send + 'static {
        let (view, identity) = (self.view.clone(), self.identity.clone());
        move || {
            let view = view.lock();
            serde_json::json!({
                "identity": identity,
                "holder": view.holder,
                "isLeader": view.is_leader,
                "secondsSinceRenewal": view.renewed.map(|at| at.elapsed().as_secs()),
                "lastError": view.last_error,
            })
        }
    }

    pub(super) fn won(&self) {
        tracing::info!(lease = self.lease, identity = self.identity, "this process leads");
        let view =
            View { holder: self.identity.clone(), is_leader: true, renewed: Some(Instant::now()), last_error: None };
        *self.view.lock() = view;
        self.leading.set(1);
    }

    pub(super) fn renewed(&self) {
        let mut view = self.view.lock();
        view.renewed = Some(Instant::now());
        if view.last_error.take().is_some() {
            tracing::info!(lease = self.lease, "the Lease is renewed again");
        }
    }

    /// Another holds the Lease; with an empty name, one of which nothing is known yet.
    pub(super) fn held_by(&self, holder: &str) {
        let mut view = self.view.lock();
        view.last_error = None;
        if !holder.is_empty() && view.holder != holder {
            tracing::info!(lease = self.lease, holder, "another replica leads; this one stands by");
            holder.clone_into(&mut view.holder);
        }
    }

    pub(super) fn lost_to(&self, holder: &str) {
        tracing::warn!(lease = self.lease, holder, "another replica took the Lease; this one stops leading");
        self.stop(holder);
    }

    pub(super) fn expired(&self, deadline: Duration) {
        tracing::warn!(
            lease = self.lease,
            "the Lease could not be renewed for {deadline:?}; this process stops leading and stands again"
        );
        self.stop("");
    }

    pub(super) fn released(&self) {
        tracing::info!(lease = self.lease, "the Lease is given back");
        self.stop("");
    }

    fn stop(&self, holder: &str) {
        let mut view = self.view.lock();
        view.is_leader = false;
        holder.clone_into(&mut view.holder);
        self.leading.set(0);
    }

    /// Logs an error once, until something else happens.
    pub(super) fn failed(&self, error: &LeaseError) {
        let error = error.to_string();
        let mut view = self.view.lock();
        if view.last_error.as_deref() != Some(error.as_str()) {
            tracing::warn!(lease = self.lease, is_leader = view.is_leader, "{error}");
            view.last_error = Some(error);
        }
    }
}
