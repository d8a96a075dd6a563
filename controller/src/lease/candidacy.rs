//! Who stands for a Lease, with which times, and what holding it means to the work.

use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Times of an election. Each must be well above the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long others leave the Lease alone after a renewal. Whole seconds.
    pub duration: Duration,
    /// How long after its last renewal a holder stops its work.
    pub renew_deadline: Duration,
    /// Time between two attempts to take or renew the Lease.
    pub retry_period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let [duration, renew_deadline, retry_period] = [30, 10, 2].map(Duration::from_secs);
        Self { duration, renew_deadline, retry_period }
    }
}

impl Timing {
    /// Longest wait for one answer: a renewal can be tried twice before its deadline.
    pub(super) fn request(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// Who stands for which Lease.
#[derive(Clone, Debug)]
pub struct Candidacy {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this candidate, which no other has.
    pub identity: String,
    /// Times.
    pub timing: Timing,
}

impl Candidacy {
    /// A candidacy under the name of this process's pod, which Kubernetes puts into `HOSTNAME`. Elsewhere
    /// under a name that nobody else draws: two of one name would both lead.
    pub fn of_this_process(namespace: &str, lease: &str) -> Self {
        let pod = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let identity = pod.unwrap_or_else(|| format!("process-{:016x}", rand::random::<u64>()));
        Self { namespace: namespace.to_owned(), name: lease.to_owned(), identity, timing: Timing::default() }
    }
}

/// Whether the work may go on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Instant>>);

impl Leadership {
    pub(super) fn lasting_until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    pub(super) fn end(&self) -> Instant {
        *self.0.lock()
    }

    pub(super) fn extend(&self, end: Instant) {
        *self.0.lock() = end;
    }

    /// Whether this process holds the Lease, as far as it can know. Ask before each write.
    pub fn is_held(&self) -> bool {
        Instant::now() < self.end()
    }

    /// Leadership for ever, for tests of the work itself.
    pub fn undisputed() -> Self {
        Self::lasting_until(Instant::now() + Duration::from_secs(60 * 60 * 24 * 365))
    }
}
