//! Things that are watched while they are used, and for some time after.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Watches by key.
pub struct Cache<K: Key>(Arc<Inner<K>>);

/// What a key is.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Key for T {}

struct Inner<K> {
    entries: Mutex<HashMap<K, Entry>>,
    idle: Duration,
    forget: Box<dyn Fn(&K) + Send + Sync>,
    runtime: Handle,
}

struct Entry {
    users: usize,
    _watch: AbortOnDropHandle<()>,
    expiry: Option<AbortOnDropHandle<()>>,
}

impl<K: Key> Cache<K> {
    /// Keeps what is unused for `idle`, and calls `forget` when it goes. Needs a runtime around it.
    pub fn new(idle: Duration, forget: impl Fn(&K) + Send + Sync + 'static) -> Self {
        let (entries, runtime) = (Mutex::default(), Handle::current());
        Self(Arc::new(Inner { entries, idle, forget: Box::new(forget), runtime }))
    }

    /// Uses what `key` names; starts to watch it unless that is done already.
    pub fn open<F>(&self, key: K, watch: impl FnOnce() -> F) -> Lease<K>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.lease(&mut self.0.entries(), key, watch)
    }

    /// Like [`Cache::open`], unless that would be one key more than `most`.
    pub fn open_within<F>(&self, most: usize, key: K, watch: impl FnOnce() -> F) -> Option<Lease<K>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut entries = self.0.entries();
        let has_room = entries.len() < most || entries.contains_key(&key);
        has_room.then(|| self.lease(&mut entries, key, watch))
    }

    fn lease<F>(&self, entries: &mut HashMap<K, Entry>, key: K, watch: impl FnOnce() -> F) -> Lease<K>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let entry = entries.entry(key.clone()).or_insert_with(|| {
            let watch = AbortOnDropHandle::new(self.0.runtime.spawn(watch()));
            Entry { users: 0, _watch: watch, expiry: None }
        });
        entry.users += 1;
        entry.expiry = None;
        Lease { key, cache: Arc::downgrade(&self.0) }
    }
}

impl<K: Key> Inner<K> {
    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(self: &Arc<Self>, key: &K) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(key) else { return };
        entry.users -= 1;
        if entry.users == 0 {
            let (cache, key, idle) = (Arc::downgrade(self), key.clone(), self.idle);
            let expiry = self.runtime.spawn(async move {
                tokio::time::sleep(idle).await;
                if let Some(cache) = cache.upgrade() {
                    cache.expire(&key);
                }
            });
            entry.expiry = Some(AbortOnDropHandle::new(expiry));
        }
    }

    fn expire(&self, key: &K) {
        let mut entries = self.entries();
        if entries.get(key).is_some_and(|entry| entry.users == 0) {
            let entry = entries.remove(key);
            (self.forget)(key);
            drop(entries);
            drop(entry);
        }
    }
}

/// Use of something; it is kept some time after the last one is dropped.
#[must_use = "what is not used any more is forgotten"]
pub struct Lease<K: Key> {
    key: K,
    cache: Weak<Inner<K>>,
}

impl<K: Key> Drop for Lease<K> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.release(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_unused_is_kept_for_some_time_and_then_watched_anew() {
        let (started, forgotten) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let forget = Arc::clone(&forgotten);
        let cache = Cache::new(Duration::from_secs(5), move |_: &u16| {
            forget.fetch_add(1, Ordering::Relaxed);
        });
        let open = || {
            let started = Arc::clone(&started);
            cache.open(80, || async move {
                started.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            })
        };
        let counts = || (started.load(Ordering::Relaxed), forgotten.load(Ordering::Relaxed));

        let both = (open(), open());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(counts(), (1, 0));
        drop(both);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let again = open();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(counts(), (1, 0), "used again in time");
        drop(again);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(counts(), (1, 1));
        let _later = open();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(counts(), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_cache_takes_only_what_it_knows_until_something_goes() {
        let cache = Cache::new(Duration::from_secs(5), |_: &u16| {});
        let open = |key| cache.open_within(2, key, std::future::pending::<()>);
        let first = open(1);
        let _second = open(2);
        assert!(first.is_some() && open(3).is_none() && open(2).is_some());
        drop(first);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(open(3).is_some());
    }
}
