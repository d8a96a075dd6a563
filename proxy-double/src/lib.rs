//! Stands in for the proxy where there is none: as a program in the image of injected containers, and
//! as a library in tests, which run thousands of doubles in one process.
//!
//! **What it is**: a client that behaves on the wire to the control plane like the proxy. It gets
//! certified, watches the policies of inbound ports, and for each address that the application connects
//! to the outbound policy, the profile, and the endpoints of what they lead to.
//!
//! **What it is not**: a proxy. The program forwards TCP to where it was going, in plain text: there is no
//! mutual TLS, no load balancing, no retry, no timeout, no protocol detection and no HTTP metric;
//! policies are watched and not enforced, and a connection does not wait for discovery. It serves no tap.
//!
//! - [`ProxyDouble`]: inputs are a workload's identity and the addresses of a control plane
//!   ([`config::Config`]), and the targets that its application would connect to; outputs are requests to
//!   the control plane, and a [`state::State`] to assert on. Doubles may share their [`Connections`].
//! - [`program`]: the same with the environment that the injector writes as input, and listeners for the
//!   admin server and the application's connections beside it.
//!
//! Invariants: a double asks what a proxy would ask, when it would ask it, and takes an answer as it
//! would take it. It never repairs an answer: what a proxy could not use is a problem of the state.
//! Whatever it keeps for connections is bounded, and goes when it was unused for some time.

mod backoff;
mod balanced;
mod cache;
mod certificate;
mod certify;
pub mod config;
mod connection;
mod double;
mod endpoints;
mod environment;
mod inbound;
mod outbound;
pub mod program;
pub mod state;
mod stream;
mod usable;

pub use cache::Lease;
pub use double::{Connections, ProxyDouble};
pub use endpoints::Endpoints;
