//! From errors to gRPC statuses.
//!
//! Proxies take INVALID_ARGUMENT and FAILED_PRECONDITION as final and come back for all others.

use crate::{
    core::authority::AuthorityError,
    index::refusal::{EndpointsRefusal, ProfileRefusal},
};
use tonic::Status;

/// `Get` of what is no authority.
pub fn invalid_authority(path: &str, error: &AuthorityError) -> Status {
    tracing::debug!(path, %error, "invalid authority");
    Status::invalid_argument(format!("Invalid authority: {path}"))
}

/// `Get` of an address.
pub fn ip_query(host: &str) -> Status {
    Status::invalid_argument(format!("IP queries not supported by Get API: host={host}"))
}

/// `GetProfile` of what is no authority.
pub fn invalid_target(path: &str, error: &AuthorityError) -> Status {
    match error {
        AuthorityError::Split(reason) => {
            Status::invalid_argument(format!("invalid authority: {path:?}: {:?}", reason.to_string()))
        }
        AuthorityError::Service(error) => {
            Status::invalid_argument(format!("invalid service {:?}: {:?}", error.host, error.reason))
        }
    }
}

/// A refused `Get`.
pub fn endpoints_status(refusal: &EndpointsRefusal, path: &str) -> Status {
    let message = refusal.to_string();
    match refusal {
        // Proxies keep what they have, and ask again.
        EndpointsRefusal::NotReady | EndpointsRefusal::ClusterNotReady(_) => Status::unavailable(message),
        EndpointsRefusal::NoService(_) | EndpointsRefusal::NoCluster(_) => Status::not_found(message),
        EndpointsRefusal::ExternalName(_) => Status::invalid_argument(format!("Invalid authority: {path}")),
        EndpointsRefusal::NoRemoteService(_) => {
            Status::failed_precondition(format!("Remote discovery service missing remote service name {path}"))
        }
    }
}

/// A refused `GetProfile`.
pub fn profile_status(refusal: &ProfileRefusal, path: &str) -> Status {
    let message = refusal.to_string();
    match refusal {
        ProfileRefusal::NotReady => Status::unavailable(message),
        ProfileRefusal::NoService(_) | ProfileRefusal::NoHostname { .. } => Status::not_found(message),
        ProfileRefusal::ExternalName(_) => Status::invalid_argument(format!("Invalid authority: {path}")),
        ProfileRefusal::Conflict(_) => Status::failed_precondition(message),
    }
}
