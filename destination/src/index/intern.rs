//! Values that many objects share are kept once.

use std::{collections::HashSet, hash::Hash, sync::Arc};

/// Fewest values at which those that nobody uses any more are looked for.
const MIN_SWEEP: usize = 1024;

/// Keeps one copy of each value that is in use.
#[derive(Debug)]
pub struct Interner<T: ?Sized> {
    values: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized + Eq + Hash> Default for Interner<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), sweep_at: MIN_SWEEP }
    }
}

impl<T: ?Sized + Eq + Hash> Interner<T> {
    /// Shares a value: the copy that is in use already, if there is one.
    pub fn share<V>(&mut self, value: V) -> Arc<T>
    where
        V: AsRef<T> + Into<Arc<T>>,
    {
        if let Some(known) = self.values.get(value.as_ref()) {
            return known.clone();
        }
        let shared: Arc<T> = value.into();
        self.values.insert(shared.clone());
        self.sweep();
        shared
    }

    /// How many values there are; some may be out of use.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Forgets values that nobody uses, once there are twice as many as after the last time.
    fn sweep(&mut self) {
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.values.shrink_to_fit();
            self.sweep_at = (self.values.len() * 2).max(MIN_SWEEP);
        }
    }
}

/// A value on its way into an [`Interner`].
#[derive(Debug)]
pub struct Fresh<T>(pub T);

impl<T> AsRef<T> for Fresh<T> {
    fn as_ref(&self) -> &T {
        &self.0
    }
}

impl<T> From<Fresh<T>> for Arc<T> {
    fn from(fresh: Fresh<T>) -> Self {
        Self::new(fresh.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one() {
        let mut names = Interner::<str>::default();
        let (one, other) = (names.share("web"), names.share("web".to_owned().as_str()));
        assert!(Arc::ptr_eq(&one, &other));
        let mut numbers = Interner::<Vec<u8>>::default();
        assert!(Arc::ptr_eq(&numbers.share(Fresh(vec![1])), &numbers.share(Fresh(vec![1]))));
    }

    #[test]
    fn values_out_of_use_are_forgotten() {
        let mut names = Interner::<str>::default();
        let kept = names.share("kept");
        for i in 0..10 * MIN_SWEEP {
            names.share(format!("{i}").as_str());
        }
        assert!(names.len() <= MIN_SWEEP);
        assert!(Arc::ptr_eq(&kept, &names.share("kept")));
    }
}
