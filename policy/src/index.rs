//! Kubernetes events in, snapshots out: synchronous and deterministic.
//!
//! A key that somebody watches has a cell with the newest snapshot of its policy. An event computes the
//! policies of the keys that depend on its object, and no other; a policy that comes out as it was
//! reaches nobody. Keys that nobody watches are not computed, and are freed with their last watcher.

mod cell;
pub mod inbound;
mod interner;
pub mod outbound;
mod problems;
mod synced;

pub use self::{
    cell::{Snapshot, Subscription},
    problems::Problem,
};
