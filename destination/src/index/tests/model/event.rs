//! What may happen.

use std::hash::{BuildHasher, RandomState};

/// One thing that happens. Every event can happen at any time, so that a history remains one when events
/// are left out; all bits zero are its simplest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    /// Namespace, 0 or 1.
    pub ns: usize,
    /// Name, of few, so that histories meet themselves.
    pub name: u8,
    /// All else.
    pub bits: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pod,
    Slice,
    Service,
    Server,
    ReplicaSet,
    Node,
    External,
    Profile,
    Delete,
    /// What is known already is told again.
    Again,
    /// A list that lacks some of what is there, as after deletions that went unnoticed.
    Relist,
    /// An endpoint moves from one slice to another, in either order.
    Move,
    /// A stream ends and another begins in its place.
    Rejoin,
    /// Time passes, and slow clients read.
    Tick,
}

/// Kinds of events with their weights.
const WEIGHTS: [(Kind, u64); 14] = [
    (Kind::Pod, 16),
    (Kind::Slice, 16),
    (Kind::Service, 5),
    (Kind::Server, 3),
    (Kind::ReplicaSet, 2),
    (Kind::Node, 2),
    (Kind::External, 4),
    (Kind::Profile, 3),
    (Kind::Delete, 9),
    (Kind::Again, 4),
    (Kind::Relist, 3),
    (Kind::Move, 4),
    (Kind::Rejoin, 4),
    (Kind::Tick, 8),
];

impl Event {
    pub fn random(random: &mut Random) -> Self {
        let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut at = random.next() % total;
        let mut kind = Kind::Tick;
        for (one, weight) in WEIGHTS {
            if at < weight {
                kind = one;
                break;
            }
            at -= weight;
        }
        let ns = (random.next() & 1) as usize;
        Self { kind, ns, name: (random.next() & 3) as u8, bits: random.next() }
    }

    pub fn bits(&self) -> Bits {
        Bits(self.bits)
    }
}

/// Choices, taken one by one.
pub struct Bits(u64);

impl Bits {
    /// The next choice of 2 to the power of `count`.
    pub fn take(&mut self, count: u32) -> usize {
        let taken = self.0 & ((1 << count) - 1);
        self.0 >>= count;
        taken as usize
    }

    /// One in 2 to the power of `count`.
    pub fn one_in(&mut self, count: u32) -> bool {
        self.take(count) == (1 << count) - 1
    }
}

/// SplitMix64: a seed is all that a history needs.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        // Neighbouring seeds are to have nothing in common.
        Self(random.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A seed that nobody has seen.
pub fn any_seed() -> u64 {
    RandomState::new().hash_one(0) >> 20
}
