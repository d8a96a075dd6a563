//! Whether every kind of object was listed.

use linkerd_k8s::Resource;
use std::collections::BTreeSet;
use tokio::sync::watch;

/// The kinds that an index still waits for.
#[derive(Debug)]
pub(super) struct Synced {
    pending: BTreeSet<&'static str>,
    done: watch::Sender<bool>,
}

impl Synced {
    pub(super) fn awaiting(kinds: impl IntoIterator<Item = &'static str>) -> Self {
        let pending: BTreeSet<_> = kinds.into_iter().collect();
        let done = watch::Sender::new(pending.is_empty());
        Self { pending, done }
    }

    /// Notes that all objects of a kind are known.
    pub(super) fn listed<T: Resource>(&mut self) {
        if self.pending.remove(T::KIND) && self.pending.is_empty() {
            self.done.send_replace(true);
        }
    }

    /// Becomes true once, and stays so.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.done.subscribe()
    }
}
