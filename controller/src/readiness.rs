//! Readiness by named guards: a process is ready when every guard has been dropped.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// What a process still waits for.
#[derive(Clone)]
pub struct Readiness {
    pending: Arc<Mutex<BTreeMap<String, usize>>>,
    ready: watch::Sender<bool>,
}

/// Holds back readiness until it is dropped.
#[must_use = "readiness is held back only while the guard lives"]
pub struct Pending {
    name: String,
    readiness: Readiness,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { pending: Arc::default(), ready: watch::Sender::new(true) }
    }
}

impl Readiness {
    /// Holds back readiness for a reason that `/ready` shows.
    pub fn hold(&self, name: impl Into<String>) -> Pending {
        let name = name.into();
        let mut pending = self.pending.lock();
        *pending.entry(name.clone()).or_default() += 1;
        self.ready.send_replace(false);
        Pending { name, readiness: self.clone() }
    }

    /// Names of what is pending, in order; empty when ready.
    pub fn pending(&self) -> Vec<String> {
        self.pending.lock().keys().cloned().collect()
    }

    /// Returns once nothing is pending.
    pub async fn wait(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut pending = self.readiness.pending.lock();
        if let Some(count) = pending.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                pending.remove(&self.name);
            }
        }
        let ready = pending.is_empty();
        self.readiness.ready.send_replace(ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_means_that_every_guard_was_dropped() {
        let readiness = Readiness::default();
        let pods = readiness.hold("watch of pods");
        let services = readiness.hold("watch of services");
        assert_eq!(readiness.pending(), ["watch of pods", "watch of services"]);
        drop(pods);
        assert_eq!(readiness.pending(), ["watch of services"]);
        drop(services);
        readiness.wait().await;
        assert!(readiness.pending().is_empty());
    }
}
