//! Services that wait for their slices to be written. Synchronous; times are passed in.

use super::metrics::QueueMetrics;
use crate::core::key::Key;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// First wait after a failure; each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);
/// Longest wait after a failure. It is tried for ever, since nobody else would make it right.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// Longest wait of a Service that failed and of which there is news: what was wrong may be mended.
const NEWS_BACKOFF: Duration = Duration::from_secs(1);

/// A queue in which each Service is once, and of which none is worked on twice at a time.
#[derive(Debug)]
pub struct Queue {
    due: BTreeSet<(Instant, Key)>,
    entries: BTreeMap<Key, Entry>,
    metrics: QueueMetrics,
}

#[derive(Debug, Default)]
struct Entry {
    /// When it may be worked on; `None` while it is, and when there is nothing to do.
    due: Option<Instant>,
    /// When it was put here.
    added: Option<Instant>,
    /// When work began.
    running: Option<Instant>,
    /// Whether there was news while it was worked on.
    again: bool,
    failures: u32,
}

impl Queue {
    /// An empty queue.
    pub fn new(metrics: QueueMetrics) -> Self {
        Self { due: BTreeSet::new(), entries: BTreeMap::new(), metrics }
    }

    /// There is news of a Service.
    pub fn add(&mut self, key: Key, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.running.is_some() {
            entry.again = true;
            return;
        }
        let wait = if entry.failures > 0 { NEWS_BACKOFF.min(backoff(entry.failures)) } else { Duration::ZERO };
        let due = entry.due.unwrap_or(now + wait).min(now + wait);
        self.schedule(key, due, now);
    }

    /// The next Service to work on, which is then under way.
    pub fn next(&mut self, now: Instant) -> Option<Key> {
        let (due, _) = self.due.first()?;
        if *due > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let entry = self.entries.entry(key.clone()).or_default();
        let waited = entry.added.take().map_or(Duration::ZERO, |added| now - added);
        (entry.due, entry.running, entry.again) = (None, Some(now), false);
        self.metrics.begun(&key, waited, now);
        self.metrics.depth(self.due.len());
        Some(key)
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The work on a Service succeeded, or there is nothing that it could do.
    pub fn done(&mut self, key: &Key, now: Instant) {
        self.finish(key, now, |entry| entry.failures = 0);
        let is_wanted = self.entries.get(key).is_some_and(|entry| entry.again);
        if is_wanted {
            self.schedule(key.clone(), now, now);
        } else {
            self.entries.remove(key);
        }
    }

    /// The work on a Service failed; returns when it is tried again, and how often it failed in a row.
    pub fn failed(&mut self, key: &Key, now: Instant) -> (Duration, u32) {
        let (mut failures, mut again) = (1, false);
        self.finish(key, now, |entry| {
            entry.failures = entry.failures.saturating_add(1);
            (failures, again) = (entry.failures, entry.again);
        });
        let wait = if again { NEWS_BACKOFF.min(backoff(failures)) } else { backoff(failures) };
        self.metrics.retried();
        self.schedule(key.clone(), now + wait, now);
        (wait, failures)
    }

    fn finish(&mut self, key: &Key, now: Instant, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.running = None;
            change(entry);
        }
        self.metrics.ended(key, now);
    }

    fn schedule(&mut self, key: Key, due: Instant, now: Instant) {
        let entry = self.entries.entry(key.clone()).or_default();
        match entry.due.replace(due) {
            Some(before) => {
                self.due.remove(&(before, key.clone()));
            }
            None => {
                entry.added = Some(now);
                self.metrics.added();
            }
        }
        self.due.insert((due, key));
        self.metrics.depth(self.due.len());
    }
}

impl Drop for Queue {
    /// Whoever leads next begins anew.
    fn drop(&mut self) {
        self.metrics.cleared();
    }
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: "ns".into(), name: name.into() }
    }

    fn queue() -> (Queue, Instant) {
        (Queue::new(QueueMetrics::default()), Instant::now())
    }

    #[test]
    fn a_service_waits_once_and_is_worked_on_once_at_a_time() {
        let (mut queue, now) = queue();
        queue.add(key("web"), now);
        queue.add(key("web"), now);
        assert_eq!(queue.next(now), Some(key("web")));
        assert_eq!(queue.next(now), None);
        queue.add(key("web"), now);
        assert_eq!(queue.next(now), None, "it is being worked on");
        queue.done(&key("web"), now);
        assert_eq!(queue.next(now), Some(key("web")), "there was news meanwhile");
        queue.done(&key("web"), now);
        assert_eq!((queue.next(now), queue.next_due(), queue.entries.len()), (None, None, 0));
    }

    #[test]
    fn failures_are_tried_again_ever_more_slowly_but_for_ever() {
        let (mut queue, mut now) = queue();
        queue.add(key("web"), now);
        queue.add(key("other"), now + Duration::from_secs(1));
        let mut waits = Vec::new();
        for failure in 1..=40 {
            assert_eq!(queue.next(now), Some(key("web")));
            let (wait, failures) = queue.failed(&key("web"), now);
            assert_eq!(failures, failure);
            assert_eq!(queue.next(now), None);
            waits.push(wait);
            now += wait;
            if queue.next_due() < Some(now) {
                assert_eq!(queue.next(now), Some(key("other")), "others do not wait for it");
                queue.done(&key("other"), now);
            }
        }
        assert_eq!(waits[..3], [5, 10, 20].map(Duration::from_millis));
        assert_eq!(waits[39], LONGEST_BACKOFF);
        assert_eq!(queue.next(now), Some(key("web")));
        queue.done(&key("web"), now);
        queue.add(key("web"), now);
        assert_eq!(queue.next_due(), Some(now), "a success forgets the failures");
    }

    #[test]
    fn news_of_a_service_that_failed_shortens_its_wait() {
        let (mut queue, now) = queue();
        queue.add(key("web"), now);
        for _ in 0..20 {
            let due = queue.next_due().unwrap();
            queue.next(due);
            queue.failed(&key("web"), due);
        }
        let failed = queue.next_due().unwrap() - LONGEST_BACKOFF;
        queue.add(key("web"), failed);
        assert_eq!(queue.next_due(), Some(failed + NEWS_BACKOFF));
        queue.add(key("web"), failed + Duration::from_millis(500));
        assert_eq!(queue.next_due(), Some(failed + NEWS_BACKOFF), "further news does not put it off");
    }
}
