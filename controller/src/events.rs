//! Kubernetes events: what `kubectl describe` and `kubectl get events` show of what a process did.
//!
//! Nothing waits for them: they go through a short queue, repeats are folded into the event of the first,
//! and what does not fit is lost and counted.

mod writer;

pub use self::writer::Writer;

use crate::tasks::Tasks;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

/// Events that wait to be written.
const QUEUE: usize = 1024;

/// An event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Whether somebody should look at it.
    pub kind: EventKind,
    /// What happened, as one word in camel case.
    pub reason: &'static str,
    /// What it happened to. It is written to the object's namespace.
    pub object: ObjectReference,
    /// What happened, for people.
    pub message: String,
    /// Which events are one that happened again.
    pub repeats: Repeats,
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// As it should be.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Which events on one object are one that happened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Those of the same reason; the event shows the last message.
    SameReason,
    /// Those of the same reason and message.
    SameMessage,
}

impl EventKind {
    fn text(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events(Option<Queue>);

#[derive(Clone)]
struct Queue {
    sender: mpsc::Sender<Event>,
    lost: Counter,
}

impl Events {
    /// Nowhere.
    pub fn none() -> Self {
        Self(None)
    }

    /// Into a queue. Those that do not fit are counted in `lost`.
    pub fn queued(lost: Counter) -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(Some(Queue { sender, lost })), receiver)
    }

    /// To a cluster, as from `component`. Those that are not written are counted in `lost`.
    pub fn written(client: Client, component: &'static str, lost: Counter, tasks: &Tasks) -> Self {
        let (events, queue) = Self::queued(lost.clone());
        tasks.spawn("event writer", Writer::new(client, component, lost).run(queue));
        events
    }

    /// Notes an event; it is lost when too many are waiting.
    pub fn emit(&self, event: Event) {
        if let Some(queue) = &self.0
            && queue.sender.try_send(event).is_err()
        {
            queue.lost.inc();
        }
    }

    /// Whether events go anywhere, so that making one is worth the time.
    pub fn are_wanted(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests;
