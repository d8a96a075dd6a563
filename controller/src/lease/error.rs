//! Why a Lease was not read or written.

use kube::core::Status;

/// A request about a Lease that failed; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server refused, or could not be reached.
    #[error("cannot {action} Lease {namespace}/{name}: {source}{advice}", advice = advice(.namespace, .source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error("cannot {action} Lease {namespace}/{name}: the API server does not answer; it is tried again")]
    NoAnswer {
        /// What was tried.
        action: &'static str,
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
    },
}

impl LeaseError {
    pub(super) fn new(action: &'static str, namespace: &str, name: &str, source: Option<kube::Error>) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        match source {
            Some(source) => Self::Api { action, namespace, name, source: Box::new(source) },
            None => Self::NoAnswer { action, namespace, name },
        }
    }

    /// Whether the Lease is no longer what the request took it for: changed, gone, or made meanwhile.
    pub(super) fn is_about_the_version(&self) -> bool {
        let Self::Api { action, source, .. } = self else { return false };
        let Some(status) = status(source) else { return false };
        // A creation finds nothing when there is no namespace, which is another matter.
        status.code == 409 || (status.code == 404 && *action != "create")
    }
}

fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

fn advice(namespace: &str, error: &kube::Error) -> String {
    match status(error).map(|status| status.code) {
        Some(401 | 403) => format!(
            "; grant this process get, create and update of leases.coordination.k8s.io in namespace {namespace}, \
             as `linkerd install` does"
        ),
        Some(404) => format!("; create namespace {namespace}, or correct --controller-namespace"),
        _ => "; it is tried again".to_owned(),
    }
}
