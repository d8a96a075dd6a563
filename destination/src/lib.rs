//! Where a request goes: the endpoints of Services, and the profiles of Services and addresses.
//!
//! Inputs: watches of Pods, Services, EndpointSlices, Nodes, ReplicaSets, Jobs, ServiceProfiles, Servers
//! and ExternalWorkloads, here and in other clusters; requests of proxies. Outputs: the streams of
//! `io.linkerd.proxy.destination.Destination`, and EndpointSlices for ExternalWorkloads. Invariants:
//!
//! - a stream shows a snapshot, then what is different: a client that reads slowly costs one version,
//!   never a queue, and has the present set one step after it reads again;
//! - the first message of a stream is sent at once and is complete, and never a removal;
//! - before the initial lists are complete no request is answered from what is there by then;
//! - an endpoint has the identity of the very object that its slice names, by UID;
//! - equal states are equal bytes, and a change that a proxy cannot see sends nothing;
//! - what nobody watches is not computed, and what nobody watches any more is freed.

pub mod args;
pub mod core;
pub mod external_slices;
#[cfg(test)]
mod fixtures;
pub mod grpc;
pub mod index;
mod metrics;
mod remote;

use crate::{args::Args, core::config::Config, external_slices::Feed, grpc::methods, index::Index};
use linkerd_controller::{
    args::ProcessArgs,
    grpc::Methods,
    identity::MeshNames,
    listen::Listener,
    source::{Shared, Source, Watches},
    tasks::{BoxError, Tasks},
};
use linkerd_k8s::{EndpointSlice, ExternalWorkload, Job, Node, Pod, ReplicaSet, Server, Service, ServiceProfile};
use parking_lot::Mutex;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// Longest time that an addition is held back after another change of the same endpoints.
const TICK: Duration = Duration::from_millis(20);

/// Starts the index and all that feeds it.
pub fn start(watches: &Watches, tasks: &Tasks, config: Config) -> Shared<Index> {
    let index = Arc::new(Mutex::new(Index::new(Arc::new(config))));
    feed(&index, None, watches, tasks);
    index
}

/// Starts the index and all that feeds it, and feeds what slices are planned from where they are written.
fn feed(index: &Shared<Index>, slices: Option<Shared<external_slices::State>>, watches: &Watches, tasks: &Tasks) {
    let feed = Arc::new(Mutex::new(Feed { index: index.clone(), slices }));
    // Pods first: slices that come before their pods would be translated twice.
    watches.watch::<Node, _>(index);
    watches.watch::<ReplicaSet, _>(index);
    watches.watch::<Job, _>(index);
    watches.watch::<Pod, _>(index);
    watches.watch::<Service, _>(&feed);
    watches.watch::<EndpointSlice, _>(&feed);
    watches.watch_optional::<ServiceProfile, _>(index);
    watches.watch_optional::<Server, _>(index);
    watches.watch_optional::<ExternalWorkload, _>(&feed);
    tasks.spawn("coalescing of additions", tick(index.clone()));
    metrics::register(index, tasks);
}

/// Publishes additions that were held back.
async fn tick(index: Shared<Index>) -> Result<(), Infallible> {
    let busy = index.lock().busy();
    loop {
        busy.notified().await;
        loop {
            tokio::time::sleep(TICK).await;
            if !index.lock().tick() {
                break;
            }
        }
    }
}

/// Runs the process: returns once everything is started.
///
/// # Errors
/// When arguments contradict each other, there is no source, or the address is taken.
pub async fn run(args: Args, tasks: Tasks) -> Result<(), BoxError> {
    let config = args.config()?;
    let names = MeshNames { control_plane_namespace: &config.controller_namespace, trust_domain: &config.trust_domain };
    let certificate = args.own_identity.certificate(&names, &tasks)?;
    let listener = Listener::bind(args.addr)?.with_certificate(certificate.as_ref())?;
    let source = Source::open(args.common(), &tasks).await?;
    let slices = match &source {
        Source::Cluster(client) if args.enable_endpoint_slices => {
            let (client, namespace) = (client.clone(), &config.controller_namespace);
            Some(external_slices::start(client, namespace, args.export_queue_metrics, &tasks))
        }
        _ => None,
    };
    let (index, watches) = (Arc::new(Mutex::new(Index::new(Arc::new(config)))), Watches::new(source, &tasks));
    remote::start(&index, &watches, &tasks);
    feed(&index, slices, &watches, &tasks);
    let router = methods(&index, Methods::new(&tasks)).into_router();
    tasks.spawn_draining("gRPC server", listener.serve(router, tasks.shutdown().clone()));
    Ok(())
}
