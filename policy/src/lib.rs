//! Policy service: inbound and outbound policy for proxies.
//!
//! Inputs: pods and external workloads that have a proxy, Services, Servers, authorizations and
//! authentications, and a configuration. Outputs: the gRPC services
//! `io.linkerd.proxy.inbound.InboundServerPolicies`, which says who may reach a port of a workload, and
//! `io.linkerd.proxy.outbound.OutboundPolicies`, which says how requests to a target are sent.
//! Invariants:
//!
//! - an edit never fails open: an object that cannot be decoded or served is treated as absent, and
//!   what it said before is withdrawn;
//! - a message is sent only when it differs from the one before, and is encoded once for all streams
//!   that it is sent to;
//! - a client that reads slowly costs one pending snapshot, and delays nobody;
//! - a port or target that nobody watches costs nothing;
//! - equal states give equal bytes.

mod args;
mod config;
mod core;
mod grpc;
mod index;
mod metrics;
#[cfg(test)]
mod testing;

pub use self::{args::Args, config::Config};

use self::index::{inbound::InboundIndex, outbound::OutboundIndex};
use linkerd_controller::{
    grpc::Methods,
    identity::MeshNames,
    listen::Listener,
    source::{Need, Scope, Shared, Source, Watches},
    tasks::{BoxError, Tasks},
};
use linkerd_k8s::{
    ExternalWorkload, Pod, Server, Service,
    names::label,
    policy::{AuthorizationPolicy, MeshTlsAuthentication, NetworkAuthentication, ServerAuthorization},
};
use parking_lot::Mutex;
use std::sync::Arc;

/// The policy service, as its watches fill it and its methods read it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Policy {
    inbound: Shared<InboundIndex>,
    outbound: Shared<OutboundIndex>,
}

/// Starts the watches that fill the policy service.
pub fn start(watches: &Watches, tasks: &Tasks, config: Config) -> Policy {
    let config = Arc::new(config);
    let inbound = Arc::new(Mutex::new(InboundIndex::new(config.clone())));
    let outbound = Arc::new(Mutex::new(OutboundIndex::new(config)));
    let meshed = Scope { label_selector: Some(label::CONTROL_PLANE_NS.to_owned()), ..Scope::default() };
    watches.watch_scoped::<Pod, _>(&inbound, Need::Required, meshed);
    watches.watch::<ExternalWorkload, _>(&inbound);
    watches.watch::<Server, _>(&inbound);
    watches.watch::<ServerAuthorization, _>(&inbound);
    watches.watch::<AuthorizationPolicy, _>(&inbound);
    watches.watch::<MeshTlsAuthentication, _>(&inbound);
    watches.watch::<NetworkAuthentication, _>(&inbound);
    watches.watch::<Service, _>(&outbound);
    let policy = Policy { inbound, outbound };
    tasks.metrics.register(|registry| metrics::register(registry, &policy));
    metrics::describe(&tasks.diagnostics, &policy);
    policy
}

/// Adds the methods of the policy service to those of a server.
pub fn methods(policy: &Policy, methods: Methods) -> Methods {
    grpc::methods(policy, methods)
}

/// Runs the policy service as a process of its own.
///
/// # Errors
/// When an address cannot be listened on or there is no source of objects.
pub async fn run(args: Args, tasks: Tasks) -> Result<(), BoxError> {
    let config = args.clone().config();
    let names =
        MeshNames { control_plane_namespace: &config.control_plane_namespace, trust_domain: &config.identity_domain };
    let certificate = args.own_identity.certificate(&names, &tasks)?;
    let listener = Listener::bind(args.grpc_addr)?.with_certificate(certificate.as_ref())?;
    let source = Source::open_as(&args.common, &args.overrides, &tasks).await?;
    let policy = start(&Watches::new(source, &tasks), &tasks, config);
    let router = methods(&policy, Methods::new(&tasks)).into_router();
    tasks.spawn_draining("gRPC server", listener.serve(router, tasks.shutdown().clone()));
    Ok(())
}
