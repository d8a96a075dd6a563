//! Injector: adds the proxy to pods.
//!
//! Inputs: objects as untyped JSON, their namespace's annotations, the install values, the trust
//! anchors and the owner of a pod. Outputs: a JSON patch with the proxy, or with opaque ports only, or
//! every reason for leaving the object alone; and manifests with the proxy's annotations or containers
//! written into them, or removed.
//!
//! Invariants:
//!
//! - [`core`] is pure: the same inputs give the same bytes, and nothing of an object is lost;
//! - every patch applies to its object, whatever texts its annotations hold;
//! - a value that would stop the proxy never reaches its environment: it is ignored with a warning, or
//!   the object is rejected with what to change.

pub mod args;
pub mod config_files;
pub mod core;
pub mod events;
pub mod lookup;
pub mod manifest;
pub mod metrics;
pub mod webhook;

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
