//! The newest snapshot of a policy, and those who watch it.

use bytes::Bytes;
use std::{
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};
use tokio::sync::watch;

/// A policy with its encoded form, which is made once for all that send it.
#[derive(Debug)]
pub struct Snapshot<T> {
    /// The policy.
    pub policy: T,
    encoded: OnceLock<Bytes>,
}

impl<T> Snapshot<T> {
    /// A snapshot that nobody has encoded yet.
    pub fn new(policy: T) -> Self {
        Self { policy, encoded: OnceLock::new() }
    }

    /// The encoded policy; `encode` is called unless it was before.
    pub fn encoded(&self, encode: impl FnOnce(&T) -> Bytes) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.policy)).clone()
    }
}

impl<T: PartialEq> PartialEq for Snapshot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.policy == other.policy
    }
}

impl<T: Eq> Eq for Snapshot<T> {}

impl<T: Hash> Hash for Snapshot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.policy.hash(state);
    }
}

/// What watchers of a key see; `None` while its policy is unknown. Dropping it ends their streams.
#[derive(Debug)]
pub(super) struct Cell<T>(watch::Sender<Option<Arc<Snapshot<T>>>>);

impl<T> Cell<T> {
    pub(super) fn new(snapshot: Option<Arc<Snapshot<T>>>) -> Self {
        Self(watch::Sender::new(snapshot))
    }

    /// Replaces the snapshot. Nobody hears of one that is the same; snapshots are interned.
    pub(super) fn publish(&self, snapshot: Arc<Snapshot<T>>) {
        self.0.send_if_modified(|current| {
            let is_same = current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &snapshot));
            *current = Some(snapshot);
            !is_same
        });
    }

    pub(super) fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(super) fn subscribe(&self, release: impl FnOnce() + Send + 'static) -> Subscription<T> {
        let mut updates = self.0.subscribe();
        updates.mark_changed();
        Subscription { updates, _release: Release(Some(Box::new(release))) }
    }
}

/// A watcher of one key. Dropping it frees the key, if it was the last.
///
/// It must not be dropped by who holds the index.
pub struct Subscription<T> {
    /// The newest snapshot, and whether it was seen. Closed when the key has ended.
    ///
    /// Declared first, so that it is dropped before the key is looked at for watchers.
    pub updates: watch::Receiver<Option<Arc<Snapshot<T>>>>,
    _release: Release,
}

struct Release(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}
