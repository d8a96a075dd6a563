//! Snapshots in, protobuf out: the only place that knows the wire.

mod endpoints;
mod profile;
mod status;
mod stream;
mod wire;

use self::{status::endpoints_status, status::profile_status, wire::Wire};
use crate::{
    core::{
        authority::{Authority, Target},
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
use tonic::Status;

/// Full name of the service.
pub const SERVICE: &str = "io.linkerd.proxy.destination.Destination";

/// Longest time that a request waits for the initial state. Proxies give up after three seconds.
const SYNC_WAIT: Duration = Duration::from_millis(2500);

/// Adds `Get` and `GetProfile` to the methods of a server.
pub fn methods(index: &Shared<Index>, methods: Methods) -> Methods {
    let wire = Arc::new(Wire::new(index.lock().config()));
    let server = Server { index: index.clone(), wire };
    let other = server.clone();
    methods.streaming(SERVICE, "Get", move |request| server.clone().get(request)).streaming(
        SERVICE,
        "GetProfile",
        move |request| other.clone().get_profile(request),
    )
}

#[derive(Clone)]
struct Server {
    index: Shared<Index>,
    wire: Arc<Wire>,
}

impl Server {
    async fn get(self, request: GetDestination) -> Result<Encoded, Status> {
        let config = self.index.lock().config().clone();
        let (path, context) = (&request.path, Context::parse(&request.context_token));
        let authority =
            Authority::parse(path, &config.cluster_domain).map_err(|error| status::invalid_authority(path, &error))?;
        let Target::Service { namespace, name, hostname } = &authority.target else {
            return Err(status::ip_query(&authority.host));
        };
        self.synced().await;
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
        Ok(stream::endpoints(stream::Subscription::new(&self.index, watch), self.wire))
    }

    async fn get_profile(self, request: GetDestination) -> Result<Encoded, Status> {
        let config = self.index.lock().config().clone();
        let (path, context) = (&request.path, Context::parse(&request.context_token));
        let authority =
            Authority::parse(path, &config.cluster_domain).map_err(|error| status::invalid_target(path, &error))?;
        let subject = match &authority.target {
            Target::Ip(ip) => ProfileSubject::Ip(*ip),
            Target::Service { namespace, name, hostname } => {
                ProfileSubject::Name { namespace, name, hostname: hostname.as_deref() }
            }
        };
        self.synced().await;
        let request = ProfileRequest { subject, port: authority.port, client_namespace: &context.namespace };
        let watch = self.index.lock().watch_profile(request);
        let watch = watch.map_err(|refusal| profile_status(&refusal, path))?;
        tracing::debug!(path, ?context, "GetProfile");
        Ok(stream::profile(stream::Subscription::new(&self.index, watch), self.wire))
    }

    /// Waits for the initial state, which takes a moment after a start. Without it the index refuses.
    async fn synced(&self) {
        let mut synced = self.index.lock().synced();
        // The sender lives in the index.
        let _ = tokio::time::timeout(SYNC_WAIT, synced.wait_for(|synced| *synced)).await;
    }
}

#[cfg(test)]
mod tests;
