//! What every control-plane process is built from.
//!
//! Inputs: command-line arguments, a cluster or a folder of manifests, certificate files. Outputs: a
//! running process with logging, an admin server, supervised tasks, watches that feed indexes, and
//! gRPC and admission servers that drain. Invariants:
//!
//! - a task that ends ends the process, with its error;
//! - readiness names what is pending and means that the initial state is applied;
//! - a watch never loses a deletion, and one undecodable object never stops it.

pub mod admin;
pub mod args;
pub mod client;
pub mod events;
pub mod grpc;
pub mod identity;
pub mod key_and_csr;
pub mod lease;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod readiness;
pub mod source;
pub mod tasks;
pub mod tls;
pub mod webhook;
pub mod webhook_certificate;

/// glibc does not give memory back to the system; this allocator does. Without huge pages: they cost an
/// idle process 8 MB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
