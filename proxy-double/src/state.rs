//! What a double knows, and what it counted: what tests assert on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use linkerd_proto::destination::{DestinationProfile, WeightedAddr};
use linkerd_proto::{inbound, outbound};
use tokio::sync::watch;
use tonic::Code;

use crate::endpoints::Endpoints;
use crate::usable;

/// Most problems that are kept; the count goes on.
const KEPT_PROBLEMS: usize = 100;

/// What a double knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The certificate in force; it stays after its end.
    pub certificate: Option<Certificate>,
    /// Ports whose policy is watched.
    pub inbound: BTreeMap<u16, Inbound>,
    /// Where connections go that the application makes.
    pub targets: BTreeMap<Target, Outbound>,
    /// What was counted.
    pub counters: BTreeMap<Rpc, Counter>,
    /// Answers that a proxy could not use, or would use to fail requests; the first ones.
    pub problems: Vec<String>,
    /// How many there were.
    pub problem_count: u64,
}

impl State {
    /// Whether the proxy would call itself ready: it was certified once.
    pub fn is_ready(&self) -> bool {
        self.certificate.is_some()
    }

    /// Whether the policy of an inbound port is there.
    pub fn has_policy(&self, port: u16) -> bool {
        self.inbound.get(&port).is_some_and(|known| known.policy.is_some())
    }

    /// What was counted of a method.
    pub fn counter(&self, rpc: Rpc) -> Counter {
        self.counters.get(&rpc).cloned().unwrap_or_default()
    }

    /// The endpoints of a backend, over all targets that have it; the first one found.
    pub fn endpoints(&self, path: &str) -> Option<&Endpoints> {
        self.targets.values().find_map(|target| target.endpoints.get(path))
    }
}

/// The certificate in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// When it ends, as the answer says.
    pub until: SystemTime,
    /// The leaf, in DER.
    pub leaf: Vec<u8>,
}

/// An inbound port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inbound {
    /// The last policy; without one, the default applies.
    pub policy: Option<inbound::Server>,
    /// The status after which the proxy asks no more, until it is started again.
    pub ended: Option<Code>,
}

/// Where the application connects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An address.
    Address(SocketAddr),
    /// `host:port`, in ingress mode.
    Authority(String),
}

impl Target {
    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Authority(text) => text.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Authority(authority) => f.write_str(authority),
        }
    }
}

/// An answer of the control plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer<T> {
    /// It is not asked for.
    #[default]
    NotAsked,
    /// None so far: the connection of the application waits.
    Pending,
    /// There is no such thing.
    Absent(Code),
    /// The question was wrong.
    Refused(Code),
    /// The last one.
    Value(Box<T>),
}

impl<T> Answer<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// What is known of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbound {
    /// Its policy.
    pub policy: Answer<outbound::OutboundPolicy>,
    /// Its profile.
    pub profile: Answer<DestinationProfile>,
    /// Endpoints of its load-balanced backends, by the path they are asked for.
    pub endpoints: BTreeMap<String, Endpoints>,
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// Nowhere yet: policy or profile are unanswered.
    Waiting,
    /// It is closed without a response.
    Closed,
    /// To one endpoint.
    Endpoint(Box<WeightedAddr>),
    /// To endpoints of these backends.
    Balanced(Vec<String>),
    /// To where the application wanted, in plain text.
    Original,
}

impl Outbound {
    /// Where an HTTP request to the target goes.
    pub fn resolution(&self, target: &Target) -> Resolution {
        match (&self.policy, &self.profile) {
            (Answer::Refused(_), _) => return Resolution::Closed,
            (Answer::Pending, _) | (_, Answer::Pending) => return Resolution::Waiting,
            _ => {}
        }
        let profile = self.profile.value();
        if let Some(backends) = profile.and_then(|profile| usable::profile_backends(profile, target.port())) {
            return Resolution::Balanced(backends);
        }
        if let Some(policy) = self.policy.value() {
            let usable::Backends { balanced, mut forward } = usable::policy_backends(policy);
            return match forward.pop() {
                Some(endpoint) if balanced.is_empty() => Resolution::Endpoint(Box::new(endpoint)),
                _ => Resolution::Balanced(balanced.into_iter().collect()),
            };
        }
        match profile.and_then(|profile| profile.endpoint.clone()) {
            Some(endpoint) => Resolution::Endpoint(Box::new(endpoint)),
            None => Resolution::Original,
        }
    }
}

/// A method that a double calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rpc {
    /// Asks for a certificate.
    Certify,
    /// Watches the policy of an inbound port.
    WatchPort,
    /// Watches the policy of an outbound target.
    Watch,
    /// Watches the profile of an outbound target.
    GetProfile,
    /// Watches the endpoints of a backend.
    Get,
}

impl Rpc {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Certify, Self::WatchPort, Self::Watch, Self::GetProfile, Self::Get];

    /// Service and method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Certify => "Identity/Certify",
            Self::WatchPort => "InboundServerPolicies/WatchPort",
            Self::Watch => "OutboundPolicies/Watch",
            Self::GetProfile => "Destination/GetProfile",
            Self::Get => "Destination/Get",
        }
    }
}

/// What was counted of a method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Requests, the first ones included.
    pub requests: u64,
    /// Streams that are there now: their first message came, and they have not ended.
    pub open: u64,
    /// Messages that came; for certificates, those that were accepted.
    pub messages: u64,
    /// Streams that were renewed because a limit was reached.
    pub renewals: u64,
    /// Streams that the server ended without error.
    pub ends: u64,
    /// Errors by code. A first message that does not come in time is `DeadlineExceeded`; a certificate
    /// that is not acceptable is `Internal`.
    pub errors: HashMap<Code, u64>,
    /// Longest time to a first message.
    pub slowest: Duration,
}

impl Counter {
    /// Errors of any code.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Writes the state, and tells those who wait for it.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<watch::Sender<State>>);

impl Recorder {
    /// Reads the state as it changes.
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// Changes the state.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.send_modify(change);
    }

    /// Counts something of a method.
    pub fn count(&self, rpc: Rpc, count: impl FnOnce(&mut Counter)) {
        self.change(|state| count(state.counters.entry(rpc).or_default()));
    }

    /// Counts a stream as there, for as long as the result lives.
    pub fn open(&self, rpc: Rpc) -> OpenStream {
        self.count(rpc, |counter| counter.open += 1);
        OpenStream { recorder: self.clone(), rpc }
    }

    /// Reports what a proxy could not use.
    pub fn problems(&self, problems: Vec<String>) {
        if problems.is_empty() {
            return;
        }
        for problem in &problems {
            tracing::warn!(problem, "a proxy could not use an answer");
        }
        self.change(|state| {
            state.problem_count += problems.len() as u64;
            let room = KEPT_PROBLEMS.saturating_sub(state.problems.len());
            state.problems.extend(problems.into_iter().take(room));
        });
    }
}

/// A stream that is there.
#[must_use = "a stream that nobody holds has ended"]
pub struct OpenStream {
    recorder: Recorder,
    rpc: Rpc,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.recorder.count(self.rpc, |counter| counter.open -= 1);
    }
}
