//! What is wrong with objects, and therefore not served.

use linkerd_k8s::{ObjectId, Resource};
use std::collections::{BTreeMap, HashSet};

/// A part of an object, or all of it, that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub reason: String,
    /// What becomes of it.
    pub effect: &'static str,
}

impl Problem {
    /// The object is treated as absent.
    pub(super) fn ignored(reason: &dyn std::error::Error) -> Self {
        Self { reason: reason.to_string(), effect: "the object is ignored" }
    }

    /// An annotation is treated as absent.
    pub(super) fn annotation(key: &str, reason: &dyn std::error::Error) -> Self {
        Self { reason: format!("annotation {key}: {reason}"), effect: "the annotation is ignored" }
    }
}

/// The problems of all objects of an index.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeMap<(&'static str, ObjectId), Vec<Problem>>);

impl Problems {
    /// Replaces what is wrong with an object. News is logged.
    pub(super) fn set<T: Resource>(&mut self, id: &ObjectId, problems: Vec<Problem>) {
        // Few objects have any: the common case makes no key of its own.
        if problems.is_empty() && self.0.is_empty() {
            return;
        }
        let key = (T::KIND, id.clone());
        if problems.is_empty() {
            self.0.remove(&key);
        } else if self.0.get(&key) != Some(&problems) {
            for Problem { reason, effect } in &problems {
                tracing::warn!(kind = T::KIND, object = %id, reason, "{effect}");
            }
            self.0.insert(key, problems);
        }
    }

    /// Forgets the problems of objects of a kind that are gone.
    pub(super) fn retain<T: Resource>(&mut self, live: &HashSet<ObjectId>) {
        self.0.retain(|(kind, id), _| *kind != T::KIND || live.contains(id));
    }

    /// All problems, by kind and object.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &ObjectId, &Problem)> {
        self.0.iter().flat_map(|((kind, id), problems)| problems.iter().map(move |problem| (*kind, id, problem)))
    }
}
