//! Admission of ServiceProfiles.
//!
//! Inputs: admission requests over HTTPS. Outputs: for each, permission with warnings or the first
//! rule that the object breaks.
//!
//! Invariants: an object that is let through is one that `linkerd-destination` serves; the verdict
//! depends on the object alone, not on the cluster, the user or the time.

pub mod args;
pub mod core;
pub mod metrics;
pub mod webhook;
