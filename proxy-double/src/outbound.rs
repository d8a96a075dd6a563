//! Discovery of an outbound target: its policy and profile, and the endpoints of what they lead to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use linkerd_proto::destination::destination_client::DestinationClient;
use linkerd_proto::destination::{DestinationProfile, GetDestination};
use linkerd_proto::outbound::outbound_policies_client::OutboundPoliciesClient;
use linkerd_proto::outbound::{OutboundPolicy, TrafficSpec, traffic_spec};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;

use crate::balanced;
use crate::double::Shared;
use crate::state::{Answer, Outbound, Resolution, Rpc, Target};
use crate::stream::{Subscribing, Watch, follow};
use crate::usable;

/// Watches everything about a target.
pub async fn watch_target(shared: Arc<Shared>, target: Target) {
    let discovery = Arc::new(Discovery { shared, target, changed: Notify::new() });
    let has_profile = match &discovery.target {
        Target::Address(address) => {
            let networks = &discovery.shared.config.profile_networks;
            networks.iter().any(|network| network.contains(&address.ip()))
        }
        Target::Authority(_) => true,
    };
    let shared = &discovery.shared;
    let profile = if has_profile { Answer::Pending } else { Answer::NotAsked };
    let known = Outbound { policy: Answer::Pending, profile, ..Outbound::default() };
    shared.recorder.change(|state| drop(state.targets.insert(discovery.target.clone(), known)));
    let policy = follow(PolicyWatch(Arc::clone(&discovery)), shared.rules(&shared.policy));
    let profile = async {
        if has_profile {
            follow(ProfileWatch(Arc::clone(&discovery)), shared.rules(&shared.destination)).await;
        }
    };
    tokio::join!(policy, profile, follow_backends(&discovery));
}

struct Discovery {
    shared: Arc<Shared>,
    target: Target,
    changed: Notify,
}

impl Discovery {
    fn change(&self, change: impl FnOnce(&mut Outbound)) {
        // A target that was forgotten stays so.
        self.shared.recorder.change(|state| state.targets.get_mut(&self.target).map_or((), change));
        self.changed.notify_one();
    }

    fn backends(&self) -> BTreeSet<String> {
        let state = self.shared.recorder.subscribe();
        let resolution = state.borrow().targets.get(&self.target).map(|known| known.resolution(&self.target));
        match resolution {
            Some(Resolution::Balanced(paths)) => paths.into_iter().collect(),
            _ => BTreeSet::new(),
        }
    }
}

/// Watches the endpoints of the backends that policy and profile name now.
async fn follow_backends(discovery: &Discovery) {
    let mut watched: HashMap<String, AbortOnDropHandle<()>> = HashMap::new();
    loop {
        let wanted = discovery.backends();
        watched.retain(|path, _| wanted.contains(path));
        discovery.shared.recorder.change(|state| {
            if let Some(known) = state.targets.get_mut(&discovery.target) {
                known.endpoints.retain(|path, _| wanted.contains(path));
            }
        });
        for path in wanted {
            let (shared, target) = (&discovery.shared, &discovery.target);
            watched.entry(path).or_insert_with_key(|path| {
                let watch = balanced::watch_endpoints(Arc::clone(shared), target.clone(), path.clone());
                AbortOnDropHandle::new(tokio::spawn(watch))
            });
        }
        discovery.changed.notified().await;
    }
}

struct PolicyWatch(Arc<Discovery>);

impl Watch for PolicyWatch {
    type Message = OutboundPolicy;

    const RPC: Rpc = Rpc::Watch;

    fn subscribe(&self) -> Subscribing<OutboundPolicy> {
        let shared = &self.0.shared;
        let target = match &self.0.target {
            Target::Address(address) => traffic_spec::Target::Addr((*address).into()),
            Target::Authority(authority) => traffic_spec::Target::Authority(authority.clone()),
        };
        let request = TrafficSpec { source_workload: shared.config.workload.clone(), target: Some(target) };
        let connection = shared.policy.clone();
        Box::pin(async move {
            let mut client = OutboundPoliciesClient::with_origin(connection.ready().await?, connection.origin());
            Ok(client.watch(request).await?.into_inner())
        })
    }

    fn is_final(&self, code: Code) -> bool {
        matches!(code, Code::NotFound | Code::Unimplemented | Code::InvalidArgument | Code::FailedPrecondition)
    }

    fn message(&mut self, policy: OutboundPolicy) {
        self.0.shared.recorder.problems(usable::policy_problems(&policy));
        self.0.change(|known| known.policy = Answer::Value(Box::new(policy)));
    }

    fn ended(&mut self, code: Code) {
        self.0.change(|known| match (&known.policy, code) {
            // The last value stays in use.
            (Answer::Value(_), _) => {}
            (_, Code::NotFound | Code::Unimplemented) => known.policy = Answer::Absent(code),
            _ => known.policy = Answer::Refused(code),
        });
    }
}

struct ProfileWatch(Arc<Discovery>);

impl Watch for ProfileWatch {
    type Message = DestinationProfile;

    const RPC: Rpc = Rpc::GetProfile;

    fn subscribe(&self) -> Subscribing<DestinationProfile> {
        let (shared, path) = (&self.0.shared, self.0.target.to_string());
        let context_token = shared.config.context.clone();
        let (connection, request) =
            (shared.destination.clone(), GetDestination { path, context_token, ..GetDestination::default() });
        Box::pin(async move {
            let mut client = DestinationClient::with_origin(connection.ready().await?, connection.origin());
            Ok(client.get_profile(request).await?.into_inner())
        })
    }

    fn is_final(&self, code: Code) -> bool {
        matches!(code, Code::InvalidArgument | Code::FailedPrecondition)
    }

    fn message(&mut self, profile: DestinationProfile) {
        self.0.shared.recorder.problems(usable::profile_problems(&profile));
        self.0.change(|known| known.profile = Answer::Value(Box::new(profile)));
    }

    fn ended(&mut self, code: Code) {
        self.0.change(|known| {
            if known.profile.value().is_none() {
                known.profile = Answer::Absent(code);
            }
        });
    }
}
