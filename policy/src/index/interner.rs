//! One copy of each value, however many hold it.

use std::{collections::HashSet, hash::Hash, sync::Arc};

/// Shares equal values.
#[derive(Debug)]
pub(super) struct Interner<T> {
    values: HashSet<Arc<T>>,
    /// Holders that let go since the last sweep.
    released: usize,
}

impl<T: Eq + Hash> Default for Interner<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), released: 0 }
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The shared copy of a value.
    pub(super) fn intern(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.values.get(&value) {
            return known.clone();
        }
        let value = Arc::new(value);
        self.values.insert(value.clone());
        value
    }

    /// Notes that a holder let go of its copy. Values that nobody holds go once there may be many.
    pub(super) fn released(&mut self) {
        self.released += 1;
        if self.released * 2 > self.values.len() {
            self.sweep();
        }
    }

    /// Forgets values that nobody holds.
    pub(super) fn sweep(&mut self) {
        self.values.retain(|value| Arc::strong_count(value) > 1);
        self.values.shrink_to(self.values.len() * 2);
        self.released = 0;
    }

    /// Number of different values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_shared_and_go_with_their_last_holder() {
        let mut interner = Interner::default();
        let (a, b) = (interner.intern("web".to_owned()), interner.intern("web".to_owned()));
        assert!(Arc::ptr_eq(&a, &b));
        drop(a);
        interner.released();
        assert_eq!(interner.len(), 1);
        drop(b);
        interner.released();
        assert_eq!(interner.len(), 0);
    }
}
