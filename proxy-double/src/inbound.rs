//! Policies of inbound ports.

use std::sync::Arc;

use linkerd_proto::inbound::inbound_server_policies_client::InboundServerPoliciesClient;
use linkerd_proto::inbound::{PortSpec, Server};
use tonic::Code;

use crate::double::Shared;
use crate::state::{Inbound, Rpc};
use crate::stream::{Subscribing, Watch, follow};
use crate::usable;

/// Watches the policy of a port.
pub async fn watch_port(shared: Arc<Shared>, port: u16) {
    shared.recorder.change(|state| {
        state.inbound.entry(port).or_default();
    });
    let rules = shared.rules(&shared.policy);
    follow(PortWatch { shared, port }, rules).await;
}

struct PortWatch {
    shared: Arc<Shared>,
    port: u16,
}

impl PortWatch {
    fn change(&self, change: impl FnOnce(&mut Inbound)) {
        // A port that was forgotten stays so.
        self.shared.recorder.change(|state| state.inbound.get_mut(&self.port).map_or((), change));
    }
}

impl Watch for PortWatch {
    type Message = Server;

    const RPC: Rpc = Rpc::WatchPort;

    fn subscribe(&self) -> Subscribing<Server> {
        let connection = self.shared.policy.clone();
        let request = PortSpec { workload: self.shared.config.workload.clone(), port: self.port.into() };
        Box::pin(async move {
            let mut client = InboundServerPoliciesClient::with_origin(connection.ready().await?, connection.origin());
            Ok(client.watch_port(request).await?.into_inner())
        })
    }

    fn is_final(&self, code: Code) -> bool {
        matches!(code, Code::InvalidArgument | Code::FailedPrecondition)
    }

    fn message(&mut self, policy: Server) {
        self.shared.recorder.problems(usable::server_problems(self.port, &policy));
        self.change(|known| known.policy = Some(policy));
    }

    fn ended(&mut self, code: Code) {
        self.change(|known| known.ended = Some(code));
    }
}
