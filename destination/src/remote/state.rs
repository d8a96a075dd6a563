//! What is known of how clusters fare, for people who look for a fault.

use linkerd_controller::source::Describe;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// States of clusters by name.
#[derive(Clone, Default)]
pub struct States(Arc<Mutex<BTreeMap<Arc<str>, State>>>);

#[derive(Default)]
struct State {
    phase: &'static str,
    error: Option<String>,
    /// Watches of what is connected to last.
    watches: BTreeMap<&'static str, Describe>,
}

impl States {
    /// A cluster is in a phase, maybe because of an error.
    pub fn set(&self, cluster: &Arc<str>, phase: &'static str, error: Option<String>) {
        let mut states = self.0.lock();
        let state = states.entry(cluster.clone()).or_default();
        (state.phase, state.error) = (phase, error);
    }

    /// A cluster is watched so from now on.
    pub fn watched(&self, cluster: &Arc<str>, watches: BTreeMap<&'static str, Describe>) {
        self.0.lock().entry(cluster.clone()).or_default().watches = watches;
    }

    /// A cluster is gone.
    pub fn remove(&self, cluster: &str) {
        self.0.lock().remove(cluster);
    }

    /// All states.
    pub fn describe(&self) -> Value {
        let describe = |(cluster, state): (&Arc<str>, &State)| {
            let watches: serde_json::Map<_, _> =
                state.watches.iter().map(|(kind, describe)| ((*kind).to_owned(), describe())).collect();
            (cluster.to_string(), json!({"phase": state.phase, "error": state.error, "watches": watches}))
        };
        Value::Object(self.0.lock().iter().map(describe).collect())
    }
}
