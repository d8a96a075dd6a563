//! One watch for both: what the index is told, the state of the slices is told too.

use super::state::{Follow, State};
use crate::index::Index;
use linkerd_controller::source::{Shared, Sink};
use linkerd_k8s::ObjectId;
use std::collections::HashSet;

/// Feeds the index and, where slices are written, what they are planned from.
pub struct Feed {
    /// The index.
    pub index: Shared<Index>,
    /// What slices are planned from.
    pub slices: Option<Shared<State>>,
}

impl<T> Sink<T> for Feed
where
    Index: Sink<T>,
    State: Follow<T>,
{
    fn apply(&mut self, object: T) {
        if let Some(slices) = &self.slices {
            slices.lock().apply(&object);
        }
        self.index.lock().apply(object);
    }

    fn delete(&mut self, id: &ObjectId) {
        if let Some(slices) = &self.slices {
            Follow::<T>::delete(&mut *slices.lock(), id);
        }
        Sink::<T>::delete(&mut *self.index.lock(), id);
    }

    fn reset(&mut self, live: &HashSet<ObjectId>) {
        if let Some(slices) = &self.slices {
            Follow::<T>::reset(&mut *slices.lock(), live);
        }
        Sink::<T>::reset(&mut *self.index.lock(), live);
    }
}
