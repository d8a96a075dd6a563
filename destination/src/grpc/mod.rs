//! Snapshots in, protobuf out: the only place that knows the wire.

mod delivery;
mod endpoints;
mod profile;
mod status;
mod stream;
mod wire;

pub(crate) use self::wire::Wire;

use self::{
    delivery::{Delivery, Meters, Subject},
    status::{endpoints_status, profile_status},
};
use crate::{
    core::{
        authority::{Authority, Target},
        config::Config,
        token::Context,
    },
    index::{EndpointsRequest, Index, ProfileRequest, ProfileSubject},
};
use linkerd_controller::{
    grpc::{Encoded, Methods},
    source::Shared,
};
use linkerd_proto::destination::GetDestination;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tonic::Status;

/// Full name of the service.
pub const SERVICE: &str = "io.linkerd.proxy.destination.Destination";

/// Longest request that is read, in bytes.
const MAX_REQUEST: usize = 64 * 1024;

/// Longest time that a request waits for the initial state. Proxies give up after three seconds.
const SYNC_WAIT: Duration = Duration::from_millis(2500);

/// Longest time that a request waits for other clusters.
const SETTLE_WAIT: Duration = Duration::from_secs(1);

/// Adds `Get` and `GetProfile` to the methods of a server.
pub fn methods(index: &Shared<Index>, methods: Methods) -> Methods {
    let server = Server::measured(index, Meters::register(&methods));
    let other = server.clone();
    // A name and a token, with room for what is to come.
    let methods = methods.with_max_request(MAX_REQUEST);
    methods.streaming(SERVICE, "Get", move |request| server.clone().get(request)).streaming(
        SERVICE,
        "GetProfile",
        move |request| other.clone().get_profile(request),
    )
}

#[derive(Clone)]
struct Server {
    index: Shared<Index>,
    /// Whether the initial state is complete.
    synced: watch::Receiver<bool>,
    config: Arc<Config>,
    wire: Arc<Wire>,
    meters: Arc<Meters>,
}

impl Server {
    fn measured(index: &Shared<Index>, meters: Arc<Meters>) -> Self {
        let locked = index.lock();
        let (synced, config) = (locked.synced(), locked.config().clone());
        let wire = Arc::new(Wire::new(&config));
        Self { index: index.clone(), synced, config, wire, meters }
    }

    async fn get(mut self, request: GetDestination) -> Result<Encoded, Status> {
        let (path, context) = (&request.path, Context::parse(&request.context_token));
        let authority = Authority::parse(path, &self.config.cluster_domain)
            .map_err(|error| status::invalid_authority(path, &error))?;
        let Target::Service { namespace, name, hostname } = &authority.target else {
            return Err(status::ip_query(&authority.host));
        };
        self.synced().await;
        self.settled(namespace, name).await;
        let request = EndpointsRequest {
            namespace,
            name,
            hostname: hostname.as_deref(),
            port: authority.port,
            node: &context.node,
        };
        let watch = self.index.lock().watch_endpoints(request);
        let watch = watch.map_err(|refusal| endpoints_status(&refusal, path))?;
        tracing::debug!(path, ?context, "Get");
        let delivery = Delivery::new(&self.meters, Subject::Endpoints(path.as_str().into()));
        Ok(stream::endpoints(stream::Subscription::new(&self.index, watch), self.wire, delivery))
    }

    async fn get_profile(mut self, request: GetDestination) -> Result<Encoded, Status> {
        let (path, context) = (&request.path, Context::parse(&request.context_token));
        let authority = Authority::parse(path, &self.config.cluster_domain)
            .map_err(|error| status::invalid_target(path, &error))?;
        let subject = match &authority.target {
            Target::Ip(ip) => ProfileSubject::Ip(*ip),
            Target::Service { namespace, name, hostname } => {
                ProfileSubject::Name { namespace, name, hostname: hostname.as_deref() }
            }
        };
        self.synced().await;
        let about = Subject::of_profile(&subject, path);
        let request = ProfileRequest { subject, port: authority.port, client_namespace: &context.namespace };
        let watch = self.index.lock().watch_profile(request);
        let watch = watch.map_err(|refusal| profile_status(&refusal, path))?;
        tracing::debug!(path, ?context, "GetProfile");
        let delivery = Delivery::new(&self.meters, about);
        Ok(stream::profile(stream::Subscription::new(&self.index, watch), self.wire, delivery))
    }

    /// Waits a moment for other clusters that the Service stands for, if they have only just become known.
    async fn settled(&self, namespace: &str, name: &str) {
        let settling = self.index.lock().settling(namespace, name);
        let all = futures::future::join_all(settling.into_iter().map(|mut settled| async move {
            // Without its sender the cluster is gone, and there is nothing to wait for.
            let _ = settled.wait_for(|settled| *settled).await;
        }));
        // Those that take longer are shown when they come.
        let _ = tokio::time::timeout(SETTLE_WAIT, all).await;
    }

    /// Waits for the initial state, which takes a moment after a start. Without it the index refuses.
    async fn synced(&mut self) {
        // The sender lives in the index.
        let _ = tokio::time::timeout(SYNC_WAIT, self.synced.wait_for(|synced| *synced)).await;
    }
}

#[cfg(test)]
mod tests;
