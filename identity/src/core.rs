//! What a certificate authority of workloads decides and signs.
//!
//! Plain data and rules: neither Kubernetes nor gRPC, nothing that waits, and time is passed in.

pub mod algorithm;
pub mod authority;
pub mod chain;
pub mod csr;
mod der;
pub mod issuer;
pub mod leaf;
pub mod pem;
pub mod private_key;
pub mod token;
pub mod validity;
