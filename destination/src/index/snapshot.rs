//! What a stream shows to its client, in versions.
//!
//! A snapshot is shared by all streams of its view, and so is what it is encoded to: the whole of it, and
//! the step from the version before. Whoever encodes first does so for all.

use crate::core::{diff::Step, filter::Entry, profile::Profile, service::SetLabels};
use bytes::Bytes;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// Encoded messages, in the order in which they are sent.
pub type Messages = Arc<[Bytes]>;

/// The endpoints of a Service for one kind of client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSet {
    /// Whether the Service exists.
    pub exists: bool,
    /// Labels of the set.
    pub labels: SetLabels,
    /// Endpoints in the order of addresses; none when the Service does not exist.
    pub entries: Vec<Entry>,
}

/// What a client that has one set must be told to have another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Endpoints.
    pub step: Step,
    /// Whether the Service exists, if that changed.
    pub existence: Option<bool>,
}

impl EndpointSet {
    /// What a client that has `old` must be told.
    pub fn change_from(&self, old: &Self) -> Change {
        let mut step = Step::between(&old.entries, &self.entries);
        if self.labels != old.labels && !old.entries.is_empty() {
            // The labels of a set belong to each of its endpoints.
            step.added = (0..self.entries.len()).collect();
            step.has_changed = true;
        }
        Change { step, existence: (self.exists != old.exists).then_some(self.exists) }
    }
}

impl Change {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.step.is_empty() && self.existence.is_none()
    }

    /// Whether a client that does not know of it yet makes no mistake.
    pub fn can_wait(&self) -> bool {
        self.step.only_adds() && self.existence.is_none()
    }
}

/// A version of a set of endpoints.
#[derive(Debug)]
pub struct Snapshot {
    /// Number that no other snapshot has.
    id: u64,
    set: EndpointSet,
    previous: Option<(u64, Change)>,
    age: Age,
    whole: OnceLock<Messages>,
    update: OnceLock<Messages>,
}

/// When what a version shows was observed, and when it became old. Nothing is decided by it; it tells how
/// long news are on their way.
#[derive(Debug)]
struct Age {
    observed: Instant,
    /// When the first change was observed that the version does not show.
    superseded: OnceLock<Instant>,
}

impl Age {
    fn since(observed: Instant) -> Self {
        Self { observed, superseded: OnceLock::new() }
    }

    /// Since when a client that has the `old` version lacks something.
    fn lacked_with(&self, old: &Self) -> Instant {
        old.superseded.get().copied().unwrap_or(self.observed)
    }
}

/// Writes snapshots down for the wire.
pub trait Encode {
    /// Tells a client that has nothing. The first message makes it forget what it had.
    fn whole(&self, set: &EndpointSet) -> Messages;
    /// Tells a client of a change. Never empty unless the change is.
    fn change(&self, set: &EndpointSet, change: &Change) -> Messages;
}

impl Snapshot {
    /// A version that follows another, if there was one.
    pub fn new(id: u64, set: EndpointSet, previous: Option<(u64, Change)>) -> Self {
        let age = Age::since(Instant::now());
        Self { id, set, previous, age, whole: OnceLock::new(), update: OnceLock::new() }
    }

    /// The same, of changes that were observed before it was made.
    pub fn observed_at(self, observed: Instant) -> Self {
        Self { age: Age::since(observed), ..self }
    }

    /// Notes that another version follows this one.
    pub fn supersede(&self, by: &Self) {
        // The first one counts.
        let _ = self.age.superseded.set(by.age.observed);
    }

    /// Since when a client that has an earlier snapshot lacks something that this one shows.
    pub fn lacked_with(&self, has: &Self) -> Instant {
        self.age.lacked_with(&has.age)
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The set.
    pub fn set(&self) -> &EndpointSet {
        &self.set
    }

    /// What to send to a client that has an earlier snapshot, or nothing yet.
    ///
    /// One step behind, it is what all others get; further behind, it is made for this client.
    pub fn messages_for(&self, has: Option<&Self>, encode: &impl Encode) -> Messages {
        let Some(has) = has else {
            return self.whole.get_or_init(|| encode.whole(&self.set)).clone();
        };
        match &self.previous {
            _ if has.id == self.id => Messages::default(),
            Some((id, change)) if *id == has.id => self.update.get_or_init(|| encode.change(&self.set, change)).clone(),
            _ => encode.change(&self.set, &self.set.change_from(&has.set)),
        }
    }
}

/// A version of a profile.
#[derive(Debug)]
pub struct ProfileSnapshot {
    profile: Profile,
    age: Age,
    encoded: OnceLock<Bytes>,
}

impl ProfileSnapshot {
    /// A version.
    pub fn new(profile: Profile) -> Self {
        Self { profile, age: Age::since(Instant::now()), encoded: OnceLock::new() }
    }

    /// Notes that another version follows this one.
    pub fn supersede(&self, by: &Self) {
        // The first one counts.
        let _ = self.age.superseded.set(by.age.observed);
    }

    /// Since when a client that has an earlier version lacks something that this one shows.
    pub fn lacked_with(&self, has: &Self) -> Instant {
        self.age.lacked_with(&has.age)
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The profile as a message.
    pub fn message(&self, encode: impl FnOnce(&Profile) -> Bytes) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.profile)).clone()
    }
}
