//! Endpoints of load-balanced backends.

use std::sync::Arc;
use std::time::Duration;

use linkerd_proto::destination::destination_client::DestinationClient;
use linkerd_proto::destination::{GetDestination, Update};
use tonic::Code;

use crate::double::Shared;
use crate::endpoints::Endpoints;
use crate::state::{Rpc, Target};
use crate::stream::{Subscribing, Watch, follow};

/// Watches the endpoints of a backend of a target.
pub async fn watch_endpoints(shared: Arc<Shared>, target: Target, path: String) {
    let rules = shared.rules(&shared.destination);
    let mut watch = EndpointsWatch { shared, target, path };
    watch.change(|_| {});
    follow(watch, rules).await;
}

struct EndpointsWatch {
    shared: Arc<Shared>,
    target: Target,
    path: String,
}

impl EndpointsWatch {
    fn change<T: Default>(&mut self, change: impl FnOnce(&mut Endpoints) -> T) -> T {
        let mut result = T::default();
        self.shared.recorder.change(|state| {
            // A target that was forgotten stays so.
            if let Some(known) = state.targets.get_mut(&self.target) {
                result = change(known.endpoints.entry(self.path.clone()).or_default());
            }
        });
        result
    }
}

impl Watch for EndpointsWatch {
    type Message = Update;

    const RPC: Rpc = Rpc::Get;

    fn subscribe(&self) -> Subscribing<Update> {
        let connection = self.shared.destination.clone();
        let context_token = self.shared.config.context.clone();
        let request = GetDestination { path: self.path.clone(), context_token, ..GetDestination::default() };
        Box::pin(async move {
            let mut client = DestinationClient::with_origin(connection.ready().await?, connection.origin());
            Ok(client.get(request).await?.into_inner())
        })
    }

    fn is_final(&self, code: Code) -> bool {
        matches!(code, Code::InvalidArgument | Code::FailedPrecondition)
    }

    fn opened(&mut self) {
        self.change(Endpoints::opened);
    }

    fn message(&mut self, update: Update) {
        let problems = self.change(|endpoints| endpoints.apply(&update));
        self.shared.recorder.problems(problems);
    }

    fn ended(&mut self, code: Code) {
        self.change(|endpoints| {
            endpoints.set.clear();
            endpoints.broken = Some(code);
        });
    }

    fn pause(&self) -> Duration {
        self.shared.config.timing.get_pause
    }
}
