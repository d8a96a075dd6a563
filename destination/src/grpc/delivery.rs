//! How long news are on their way, and which streams were given up.

use crate::{core::authority::split_host_port, index::ProfileSubject};
use linkerd_controller::grpc::Methods;
use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{family::Family, gauge::ConstGauge, histogram::Histogram},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Most series of streams that were given up; clients choose the labels.
const MAX_SERIES: usize = 500;

/// Meters of all streams.
#[derive(Debug)]
pub struct Meters {
    /// Delays of `Get`.
    get: Histogram,
    /// Delays of `GetProfile`.
    profile: Histogram,
    overflows: Overflows,
    /// How long a stream may be left unread before it is given up.
    unread: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    grpc_method: &'static str,
}

impl Meters {
    /// Registers the meters of a server.
    pub fn register(methods: &Methods) -> Arc<Self> {
        let buckets = || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0]);
        let delays = Family::<MethodLabels, Histogram, fn() -> Histogram>::new_with_constructor(buckets);
        let of = |grpc_method| delays.get_or_create_owned(&MethodLabels { grpc_method });
        let overflows = Overflows::default();
        let meters = Self {
            get: of("Get"),
            profile: of("GetProfile"),
            overflows: overflows.clone(),
            unread: methods.limits().unread,
        };
        methods.process_metrics().register(|registry| {
            let help =
                "From the moment a change of an object was observed until a stream was written to, for each stream";
            registry.register("destination_update_delay_seconds", help, delays);
            registry.register_collector(Box::new(overflows));
        });
        Arc::new(meters)
    }
}

/// Streams that were given up since their clients did not read them. The names are those of queues that
/// overflow, which there are none of here.
#[derive(Clone, Debug, Default)]
struct Overflows(Arc<Mutex<BTreeMap<Subject, u64>>>);

/// What a stream is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Endpoints, by the path that was asked for.
    Endpoints(Box<str>),
    /// The profile of a Service, by the path that was asked for.
    Profile(Box<str>),
    /// The profile of an endpoint.
    EndpointProfile,
}

impl Subject {
    /// What a stream of profiles is about.
    pub fn of_profile(subject: &ProfileSubject<'_>, path: &str) -> Self {
        match subject {
            ProfileSubject::Name { hostname: None, .. } => Self::Profile(path.into()),
            ProfileSubject::Name { .. } | ProfileSubject::Ip(_) => Self::EndpointProfile,
        }
    }
}

impl Overflows {
    fn count(&self, subject: &Subject) {
        let mut counts = self.0.lock();
        if counts.len() < MAX_SERIES || counts.contains_key(subject) {
            *counts.entry(subject.clone()).or_default() += 1;
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ServiceLabels {
    service: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ProfileLabels {
    fqn: String,
    port: String,
}

impl Collector for Overflows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = self.0.lock();
        let kind = ConstGauge::new(0_u64).metric_type();
        let help = "Streams that were given up, since their clients left them unread";
        let mut family = encoder.encode_descriptor("endpoint_updates_queue_overflow", help, None, kind)?;
        for (subject, count) in counts.iter() {
            let Subject::Endpoints(path) = subject else { continue };
            let labels = ServiceLabels { service: path.to_string() };
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let mut family = encoder.encode_descriptor("profile_updates_queue_overflow", help, None, kind)?;
        for (subject, count) in counts.iter() {
            let Subject::Profile(path) = subject else { continue };
            let (fqn, port) = split_host_port(path).unwrap_or((path, "80"));
            let labels = ProfileLabels { fqn: fqn.to_owned(), port: port.to_owned() };
            ConstGauge::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let count = counts.get(&Subject::EndpointProfile).copied().unwrap_or_default();
        let name = "endpoint_profile_updates_queue_overflow";
        ConstGauge::new(count).encode(encoder.encode_descriptor(name, help, None, kind)?)
    }
}

/// The delivery of one stream's messages.
pub struct Delivery {
    meters: Arc<Meters>,
    subject: Subject,
    given: Option<Given>,
}

/// A message that was given to the transport, which did not come back yet.
struct Given {
    at: Instant,
    /// Since when the client lacked what it says; nothing for the first one.
    lacked: Option<Instant>,
}

impl Delivery {
    /// Of a stream that begins.
    pub fn new(meters: &Arc<Meters>, subject: Subject) -> Self {
        Self { meters: meters.clone(), subject, given: None }
    }

    /// A message is given to the transport, which comes back once it is written.
    pub fn given(&mut self, lacked: Option<Instant>) {
        self.given = Some(Given { at: Instant::now(), lacked });
    }

    /// The transport has come back.
    pub fn taken(&mut self) {
        let Some(lacked) = self.given.take().and_then(|given| given.lacked) else { return };
        let delays =
            if matches!(self.subject, Subject::Endpoints(_)) { &self.meters.get } else { &self.meters.profile };
        delays.observe(lacked.elapsed().as_secs_f64());
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.given.as_ref().is_some_and(|given| given.at.elapsed() >= self.meters.unread) {
            self.meters.overflows.count(&self.subject);
        }
    }
}
