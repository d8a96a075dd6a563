//! Kubernetes events on the owners of pods: injected, or not and why.
//!
//! Admission never waits for them: they go through a short queue, repeats are left out, and what does
//! not fit is lost and counted.

use crate::{core::decision::SkipReason, metrics::Metrics};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, api::PostParams};
use linkerd_k8s::OwnerReference;
use std::{collections::HashMap, convert::Infallible, time::Duration};
use tokio::{sync::mpsc, time::Instant};

const COMPONENT: &str = "linkerd-proxy-injector";
/// Events that wait to be written.
const QUEUE: usize = 1024;
/// The same is said of the same owner once in this time.
const QUIET: Duration = Duration::from_secs(5 * 60);
/// Owners and reasons that are remembered.
const CAPACITY: usize = 10_000;
/// Longest time for writing one event.
const DEADLINE: Duration = Duration::from_secs(5);

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Namespace of the owner.
    pub namespace: String,
    /// The owner that it is about.
    pub owner: OwnerReference,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A pod got a proxy.
    Injected,
    /// A pod did not get a proxy.
    Skipped(Vec<SkipReason>),
}

impl What {
    fn reason(&self) -> &'static str {
        match self {
            Self::Injected => "Injected",
            Self::Skipped(_) => "InjectionSkipped",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Injected => "Linkerd sidecar proxy injected".to_owned(),
            Self::Skipped(reasons) => {
                let texts: Vec<_> = reasons.iter().map(|reason| reason.text()).collect();
                format!("Linkerd sidecar proxy injection skipped: {}", texts.join(", "))
            }
        }
    }
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    queue: Option<mpsc::Sender<Occurrence>>,
    metrics: Metrics,
}

impl Events {
    /// Nowhere.
    pub fn none(metrics: &Metrics) -> Self {
        Self { queue: None, metrics: metrics.clone() }
    }

    /// Into a queue.
    pub fn queued(metrics: &Metrics) -> (Self, mpsc::Receiver<Occurrence>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        (Self { queue: Some(queue), metrics: metrics.clone() }, receiver)
    }

    /// Notes an event, unless too many are waiting.
    pub fn emit(&self, occurrence: Occurrence) {
        if self.queue.as_ref().is_some_and(|queue| queue.try_send(occurrence).is_err()) {
            self.metrics.event_lost();
        }
    }
}

/// Writes what comes through a queue to a cluster.
pub async fn write(client: Client, mut queue: mpsc::Receiver<Occurrence>, metrics: Metrics) -> Result<(), Infallible> {
    let mut said = Said::default();
    while let Some(occurrence) = queue.recv().await {
        if !said.is_news(&occurrence, Instant::now()) {
            continue;
        }
        let api: Api<Event> = Api::namespaced(client.clone(), &occurrence.namespace);
        let (event, params) = (event(occurrence, Timestamp::now()), PostParams::default());
        match tokio::time::timeout(DEADLINE, api.create(&params, &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "an event cannot be written");
                metrics.event_lost();
            }
            Err(_) => metrics.event_lost(),
        }
    }
    std::future::pending().await
}

/// What was said of whom, and when.
#[derive(Default)]
struct Said(HashMap<(String, What), Instant>);

impl Said {
    fn is_news(&mut self, occurrence: &Occurrence, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.duration_since(*at) < QUIET;
        let key = (occurrence.owner.uid.clone(), occurrence.what.clone());
        if self.0.get(&key).is_some_and(is_recent) {
            return false;
        }
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, at| is_recent(at));
        }
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        self.0.insert(key, now);
        true
    }
}

fn event(occurrence: Occurrence, now: Timestamp) -> Event {
    let Occurrence { namespace, owner, what } = occurrence;
    // The API server takes names of at most 253 characters.
    let prefix: String = owner.name.chars().take(200).collect();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{:x}", now.as_nanosecond())),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(owner.api_version),
            kind: Some(owner.kind),
            name: Some(owner.name),
            namespace: Some(namespace),
            uid: Some(owner.uid),
            ..ObjectReference::default()
        },
        type_: Some("Normal".to_owned()),
        reason: Some(what.reason().to_owned()),
        message: Some(what.message()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), ..EventSource::default() }),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(uid: &str) -> Occurrence {
        Occurrence {
            namespace: "n".into(),
            owner: OwnerReference {
                kind: "Deployment".into(),
                name: "web".into(),
                uid: uid.into(),
                ..Default::default()
            },
            what: What::Skipped(vec![SkipReason::HostNetwork, SkipReason::NotEnabled]),
        }
    }

    #[test]
    fn the_same_is_said_of_an_owner_once_in_a_while() {
        let (mut said, now) = (Said::default(), Instant::now());
        assert!(said.is_news(&skipped("a"), now));
        assert!(!said.is_news(&skipped("a"), now + Duration::from_secs(299)));
        assert!(said.is_news(&skipped("b"), now));
        assert!(said.is_news(&Occurrence { what: What::Injected, ..skipped("a") }, now));
        assert!(said.is_news(&skipped("a"), now + Duration::from_secs(300)));
    }

    #[test]
    fn an_event_gives_every_reason() {
        let event = event(skipped("a"), Timestamp::UNIX_EPOCH);
        assert_eq!(event.reason.as_deref(), Some("InjectionSkipped"));
        assert_eq!(
            event.message.unwrap(),
            "Linkerd sidecar proxy injection skipped: hostNetwork is enabled, neither the namespace nor the pod have \
             the annotation \"linkerd.io/inject:enabled\""
        );
        assert_eq!(event.involved_object.uid.as_deref(), Some("a"));
    }
}
