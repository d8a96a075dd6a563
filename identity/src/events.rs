//! Kubernetes events about the issuer and about certificates.
//!
//! Issuance never waits for them: they go through a short queue, are folded per object, and are lost
//! rather than waited for.

use crate::{core::token::ServiceAccount, denied::cut, metrics::Metrics};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use std::{collections::HashMap, convert::Infallible, time::Duration};
use tokio::{sync::mpsc, time::Instant};

const COMPONENT: &str = "linkerd-identity";

/// Occurrences that wait to be written.
const QUEUE: usize = 1024;

/// Repeats within this time after a write are counted and written with the next one.
const QUIET: Duration = Duration::from_secs(5 * 60);

/// A cluster deletes events after an hour; there is nothing to add to afterwards.
const FORGET: Duration = Duration::from_secs(55 * 60);

/// Bytes of a message, at most; the API server refuses events with more.
const MESSAGE: usize = 1024;

/// Something worth an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Other credentials are in force.
    IssuerUpdated,
    /// Other credentials were refused.
    IssuerUpdateSkipped {
        /// Why.
        error: String,
    },
    /// A request failed because the issuer is not trusted.
    IssuerValidationFailed {
        /// Why.
        error: String,
        /// The identity that was asked for.
        identity: String,
    },
    /// A certificate was issued.
    IssuedLeafCertificate {
        /// Whose it is.
        account: ServiceAccount,
        /// The name in it.
        identity: String,
        /// Its end.
        not_after: Timestamp,
        /// SHA-256 of its DER, in hexadecimal digits.
        fingerprint: String,
    },
}

/// Where events go.
#[derive(Clone)]
pub struct Events(Option<Queue>);

#[derive(Clone)]
struct Queue {
    sender: mpsc::Sender<Occurrence>,
    on_issuance: bool,
    metrics: Metrics,
}

impl Events {
    /// Nowhere.
    pub fn none() -> Self {
        Self(None)
    }

    /// Into a queue. `on_issuance` is whether each certificate is worth one.
    pub fn queued(on_issuance: bool, metrics: Metrics) -> (Self, mpsc::Receiver<Occurrence>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(Some(Queue { sender, on_issuance, metrics })), receiver)
    }

    /// Whether certificates that are issued are worth an event.
    pub fn are_wanted_on_issuance(&self) -> bool {
        self.0.as_ref().is_some_and(|queue| queue.on_issuance)
    }

    /// Notes an occurrence; it is lost when too many are waiting.
    pub fn emit(&self, occurrence: Occurrence) {
        if let Some(queue) = &self.0
            && queue.sender.try_send(occurrence).is_err()
        {
            queue.metrics.event_lost();
        }
    }
}

/// Writes events to a cluster.
pub struct EventWriter {
    client: Client,
    namespace: String,
    metrics: Metrics,
    written: HashMap<(&'static str, String), Written>,
}

struct Written {
    name: String,
    at: Instant,
    created: Instant,
    count: i32,
}

/// An event of `core/v1`, but for its name and times.
struct Draft {
    kind: &'static str,
    reason: &'static str,
    object: ObjectReference,
    message: String,
}

impl EventWriter {
    /// Writes about the Deployment of this service in the control plane's namespace, and about accounts.
    pub fn new(client: Client, namespace: String, metrics: Metrics) -> Self {
        Self { client, namespace, metrics, written: HashMap::new() }
    }

    /// Writes what comes through a queue.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Occurrence>) -> Result<(), Infallible> {
        while let Some(occurrence) = queue.recv().await {
            let mut draft = draft(&self.namespace, occurrence);
            draft.message.truncate(cut(&draft.message, MESSAGE).len());
            if let Err(error) = self.write(draft).await {
                tracing::debug!(%error, "an event cannot be written");
                self.metrics.event_lost();
            }
        }
        std::future::pending().await
    }

    async fn write(&mut self, draft: Draft) -> Result<(), kube::Error> {
        let now = Instant::now();
        self.written.retain(|_, written| now.duration_since(written.created) < FORGET);
        let namespace = draft.object.namespace.clone().unwrap_or_default();
        let key = (draft.reason, format!("{namespace}/{}", draft.object.name.as_deref().unwrap_or_default()));
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        if let Some(written) = self.written.get_mut(&key) {
            written.count += 1;
            if now.duration_since(written.at) < QUIET {
                return Ok(());
            }
            written.at = now;
            let change = serde_json::json!({
                "count": written.count, "lastTimestamp": Time(Timestamp::now()), "message": draft.message,
            });
            let patched = api.patch(&written.name, &PatchParams::default(), &Patch::Merge(change)).await;
            if patched.is_err() {
                // It may have been deleted: the next occurrence is written anew.
                self.written.remove(&key);
            }
            return patched.map(drop);
        }
        let event = event(draft, namespace);
        let name = event.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &event).await?;
        self.written.insert(key, Written { name, at: now, created: now, count: 1 });
        Ok(())
    }
}

fn draft(namespace: &str, occurrence: Occurrence) -> Draft {
    let deployment = || ObjectReference {
        api_version: Some("apps/v1".to_owned()),
        kind: Some("Deployment".to_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(COMPONENT.to_owned()),
        ..ObjectReference::default()
    };
    match occurrence {
        Occurrence::IssuerUpdated => Draft {
            kind: "Normal",
            reason: "IssuerUpdated",
            object: deployment(),
            message: "Updated identity issuer".to_owned(),
        },
        Occurrence::IssuerUpdateSkipped { error } => Draft {
            kind: "Warning",
            reason: "IssuerUpdateSkipped",
            object: deployment(),
            message: format!("Skipping issuer update as certs could not be read from disk: {error}"),
        },
        Occurrence::IssuerValidationFailed { error, identity } => Draft {
            kind: "Warning",
            reason: "IssuerValidationFailed",
            object: deployment(),
            message: format!("{error} - CSR Identity : {identity}"),
        },
        Occurrence::IssuedLeafCertificate { account, identity, not_after, fingerprint } => Draft {
            kind: "Normal",
            reason: "IssuedLeafCertificate",
            object: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("ServiceAccount".to_owned()),
                namespace: Some(account.namespace),
                name: Some(account.name),
                ..ObjectReference::default()
            },
            message: format!("issued certificate for {identity} until {not_after}: {fingerprint}"),
        },
    }
}

fn event(draft: Draft, namespace: String) -> Event {
    let now = Timestamp::now();
    let name = format!("{}.{:x}", draft.object.name.as_deref().unwrap_or(COMPONENT), now.as_nanosecond());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace), ..ObjectMeta::default() },
        involved_object: draft.object,
        type_: Some(draft.kind.to_owned()),
        reason: Some(draft.reason.to_owned()),
        message: Some(draft.message),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), ..EventSource::default() }),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests;
