//! From a configuration to a certificate authority that runs.

use super::{Config, Service};
use crate::{
    core::authority::Authority,
    current::CurrentAuthority,
    events::{COMPONENT, Events},
    issuer_files::{IssuerFiles, LoadError, Scheme},
    issuer_objects::{IssuerObjects, Seen},
    issuer_watch::Followed,
    metrics::Metrics,
    reviewer::TokenReviewer,
};
use linkerd_controller::{events, tasks::Tasks};
use std::sync::Arc;
use tokio::sync::watch;

/// Where the issuer comes from.
pub enum IssuerSource {
    /// Files, which are followed.
    Files(IssuerFiles),
    /// Files at first, and objects of the cluster that are watched.
    Cluster {
        /// Where the objects are mounted.
        files: IssuerFiles,
        /// The objects.
        objects: IssuerObjects,
        /// How they are named inside.
        scheme: Scheme,
        /// Their cluster.
        client: kube::Client,
    },
    /// One that stays.
    Fixed(Box<Authority>),
}

/// Where Kubernetes events go.
pub enum EventSink {
    /// Nowhere.
    None,
    /// To a cluster.
    Cluster {
        /// Its client.
        client: kube::Client,
        /// Whether each certificate is worth one.
        on_issuance: bool,
    },
}

/// Starts a certificate authority: loads its issuer and keeps it up to date.
///
/// # Errors
/// When the files hold no issuer that the trust anchors trust.
pub fn start(
    config: Config,
    reviewer: Arc<dyn TokenReviewer>,
    issuer: IssuerSource,
    sink: EventSink,
    tasks: &Tasks,
) -> Result<Service, LoadError> {
    let current = CurrentAuthority::default();
    let followed = follow(issuer, &config, &current, tasks)?;
    let metrics = tasks.metrics.register(|registry| Metrics::register(registry, current.clone(), config.clock.clone()));
    let (sink, on_issuance) = match sink {
        EventSink::None => (events::Events::none(), false),
        EventSink::Cluster { client, on_issuance } => {
            (events::Events::written(client, COMPONENT, metrics.lost_events.clone(), tasks), on_issuance)
        }
    };
    let events = Events::new(sink, &config.control_plane_namespace, on_issuance);
    let service = Service::new(config, current, reviewer, events, metrics);
    let mut watch = service.watch(followed, tasks);
    watch.look();
    tasks.spawn("issuer watch", watch.run());
    Ok(service)
}

/// Loads an authority for the first time; what is returned keeps it up to date.
fn follow(
    issuer: IssuerSource,
    config: &Config,
    current: &CurrentAuthority,
    tasks: &Tasks,
) -> Result<Option<Followed>, LoadError> {
    let (files, objects) = match issuer {
        IssuerSource::Files(files) => (files, watch::channel(Seen::default()).1),
        IssuerSource::Cluster { files, objects, scheme, client } => {
            (files, objects.watch(&client, &config.control_plane_namespace, scheme, tasks))
        }
        IssuerSource::Fixed(authority) => {
            current.set(*authority);
            return Ok(None);
        }
    };
    Followed::load(files, objects, config.own_identity(), current, &config.clock).map(Some)
}
