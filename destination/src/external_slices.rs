//! EndpointSlices for ExternalWorkloads, which nobody else writes: Kubernetes knows pods alone.
//!
//! Inputs: Services, ExternalWorkloads and our own slices, from the watches that also feed the index.
//! Outputs: writes of slices, by the one replica that holds a Lease. Invariants:
//!
//! - each endpoint that is wanted is in exactly one slice, no slice holds more than a hundred, and where
//!   everything is as it should be nothing is written;
//! - every write names the version that it was planned from, so whatever another process wrote meanwhile
//!   is seen first;
//! - nothing is planned before all is known, since what is not known yet is not gone.

mod api;
mod feed;
mod metrics;
mod model;
mod object;
mod pack;
mod plan;
mod project;
mod queue;
mod state;
mod worker;

pub use self::{feed::Feed, state::State};

use self::{api::Slices, metrics::QueueMetrics, worker::Worker};
use kube::Client;
use linkerd_controller::{
    lease::{Candidacy, Election},
    source::Shared,
    tasks::Tasks,
};
use linkerd_k8s as k8s;
use serde_json::Value;
use std::convert::Infallible;

/// The Lease of the replica that writes.
const LEASE: &str = "linkerd-destination-endpoint-write";

/// Starts to write slices whenever this process leads; returns what the watches are to feed.
pub fn start(client: Client, namespace: &str, with_queue_metrics: bool, tasks: &Tasks) -> Shared<State> {
    let state = Shared::<State>::default();
    let metrics = match with_queue_metrics {
        true => tasks.metrics.register(QueueMetrics::register),
        false => QueueMetrics::default(),
    };
    let candidacy = Candidacy::of_this_process(namespace, LEASE);
    let election = Election::new(client.clone(), candidacy, tasks);
    let worker = Worker { state: state.clone(), slices: Slices::new(client), metrics };
    describe(&state, tasks);
    let (shutdown, readiness) = (tasks.shutdown().clone(), tasks.readiness.clone());
    tasks.spawn_draining("EndpointSlices of external workloads", async move {
        // A replica that knows nothing yet would only be in the way of one that does.
        let is_ready = tokio::select! {
            () = readiness.wait() => true,
            () = shutdown.cancelled() => false,
        };
        if is_ready {
            election.run(shutdown, move |leadership| worker.clone().work(leadership)).await?;
        }
        Ok::<(), Infallible>(())
    });
    state
}

fn describe(state: &Shared<State>, tasks: &Tasks) {
    let state = state.clone();
    tasks.diagnostics.add("slices of external workloads", move || {
        let [services, workloads, slices] = state.lock().sizes();
        serde_json::json!({"services": services, "externalWorkloads": workloads, "slices": slices})
    });
}

/// The slices that a Service without any gets for these workloads, as objects without names.
pub fn made_of(service: &k8s::Service, workloads: &[k8s::ExternalWorkload]) -> Vec<Value> {
    let Some(service) = project::service(service) else { return Vec::new() };
    let workloads: Vec<_> = workloads.iter().map(project::workload).collect();
    let selected = workloads
        .iter()
        .filter(|workload| workload.key.namespace == service.key.namespace && service.selects(workload));
    let plan = plan::plan(&service, selected, &[]);
    plan.creates.iter().map(|(family, content)| object::new(&service, *family, content)).collect()
}

#[cfg(test)]
mod tests;
