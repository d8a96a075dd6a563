//! Identity service: the certificate authority of the workloads.
//!
//! Inputs: the issuer's certificate and key with the trust anchors, from files and objects that are followed; requests
//! of proxies, with the identity that they want, a service-account token and a signing request; what a
//! [`TokenReviewer`](reviewer::TokenReviewer) says of tokens. Outputs: leaf certificates over gRPC, metrics,
//! readiness and Kubernetes events. Invariants:
//!
//! - a certificate names the identity of the service account that the token proves, and nothing else;
//! - nothing is issued that proxies would refuse: the issuer is verified as a proxy verifies it, against
//!   anchors that are valid now, and no certificate outlives its issuer;
//! - a request works with one issuer from its start to its end, and holds no lock while a token is reviewed;
//! - issuer files that are wrong leave the issuer in force where it is;
//! - keys and tokens are neither logged nor shown.

pub mod args;
pub mod clock;
pub mod core;
pub mod current;
pub mod denied;
pub mod events;
pub mod generate;
pub mod grpc;
pub mod issuer_files;
pub mod issuer_objects;
mod issuer_watch;
pub mod local_tokens;
pub mod metrics;
mod rate_limit;
pub mod review_queue;
pub mod reviewer;
pub mod run;
pub mod service;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;
