//! Writes events to a cluster, one after the other.

use super::{Event, Repeats};
use k8s_openapi::{
    api::core::v1::{self, EventSource},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use prometheus_client::metrics::counter::Counter;
use serde_json::json;
use std::{collections::HashMap, convert::Infallible, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

/// Repeats within this time after a write are counted, and written with the next one.
pub(super) const QUIET: Duration = Duration::from_secs(5 * 60);

/// A cluster deletes events after an hour; there is nothing to add to afterwards.
pub(super) const FORGET: Duration = Duration::from_secs(55 * 60);

/// Events that are remembered, for their repeats.
const CAPACITY: usize = 10_000;

/// Longest time for writing one.
const DEADLINE: Duration = Duration::from_secs(5);

/// Bytes of a message, at most; the API server refuses events with more.
const MESSAGE: usize = 1024;

/// Characters of the object's name in the event's name, which may have 253 and needs some for itself.
const NAME: usize = 200;

/// Writes events.
pub struct Writer {
    client: Client,
    component: &'static str,
    lost: Counter,
    written: HashMap<Key, Written>,
}

/// What repeats have in common: namespace, kind and name of the object, reason, and message if it counts.
type Key = (String, String, String, &'static str, Option<String>);

struct Written {
    name: String,
    at: Instant,
    created: Instant,
    count: i32,
}

impl Writer {
    /// Writes as from `component`; counts in `lost` what cannot be written.
    pub fn new(client: Client, component: &'static str, lost: Counter) -> Self {
        Self { client, component, lost, written: HashMap::new() }
    }

    /// Writes what comes through a queue.
    ///
    /// # Errors
    /// None.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Event>) -> Result<(), Infallible> {
        while let Some(event) = queue.recv().await {
            match timeout(DEADLINE, self.write(event)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "an event cannot be written");
                    self.lost.inc();
                }
                Err(_) => {
                    self.lost.inc();
                }
            }
        }
        std::future::pending().await
    }

    pub(super) async fn write(&mut self, mut event: Event) -> Result<(), kube::Error> {
        event.message.truncate(event.message.floor_char_boundary(MESSAGE));
        let now = Instant::now();
        self.forget(now);
        let key = key(&event);
        let api: Api<v1::Event> = Api::namespaced(self.client.clone(), &key.0);
        if let Some(written) = self.written.get_mut(&key) {
            written.count += 1;
            if now.duration_since(written.at) < QUIET {
                return Ok(());
            }
            written.at = now;
            let last = Time(Timestamp::now());
            let change = json!({ "count": written.count, "lastTimestamp": last, "message": event.message });
            let patched = api.patch(&written.name, &PatchParams::default(), &Patch::Merge(change)).await;
            if patched.is_err() {
                // It may have been deleted: the next one is written anew.
                self.written.remove(&key);
            }
            return patched.map(drop);
        }
        let object = self.object(event, key.0.clone());
        let name = object.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &object).await?;
        self.written.insert(key, Written { name, at: now, created: now, count: 1 });
        Ok(())
    }

    fn forget(&mut self, now: Instant) {
        self.written.retain(|_, written| now.duration_since(written.created) < FORGET);
        if self.written.len() >= CAPACITY {
            self.written.retain(|_, written| now.duration_since(written.at) < QUIET);
        }
        if self.written.len() >= CAPACITY {
            self.written.clear();
        }
    }

    fn object(&self, event: Event, namespace: String) -> v1::Event {
        let now = Timestamp::now();
        let object = event.object.name.as_deref().unwrap_or(self.component);
        let name = format!("{}.{:x}", &object[..object.floor_char_boundary(NAME)], now.as_nanosecond());
        v1::Event {
            metadata: ObjectMeta { name: Some(name), namespace: Some(namespace), ..ObjectMeta::default() },
            involved_object: event.object,
            type_: Some(event.kind.text().to_owned()),
            reason: Some(event.reason.to_owned()),
            message: Some(event.message),
            source: Some(EventSource { component: Some(self.component.to_owned()), ..EventSource::default() }),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            count: Some(1),
            ..v1::Event::default()
        }
    }
}

fn key(event: &Event) -> Key {
    let object = &event.object;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let message = (event.repeats == Repeats::SameMessage).then(|| event.message.clone());
    // An object that was made anew under its old name has events of its own.
    let name = format!("{}/{}", text(&object.name), text(&object.uid));
    (text(&object.namespace), text(&object.kind), name, event.reason, message)
}
