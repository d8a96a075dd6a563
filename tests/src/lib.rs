//! Black-box suites and the harness that runs them.
//!
//! The suites speak only HTTP, gRPC and the Kubernetes API, so that the subject of a test may be
//! our binaries or anything else that claims to behave like them.
//!
//! - [`apiserver`]: a real etcd and kube-apiserver of the test's own, on loopback.
//! - [`authority`]: a certificate authority of the test's own.
//! - [`cluster`]: what a test does with a Kubernetes API, whichever it is.
//! - [`helm`]: the objects of our charts.
//! - [`process`]: one of our binaries, running.
//! - [`eventually()`]: waiting for a condition, with a deadline and the last reason it failed.
//!
//! Invariant: whatever a test starts ends with the test process, however that ends.

pub mod apiserver;
pub mod authority;
pub mod child;
pub mod cluster;
mod eventually;
pub mod helm;
pub mod plain_http;
pub mod port;
pub mod process;
mod teardown;
mod tools;

pub use eventually::eventually;
