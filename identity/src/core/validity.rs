//! Spans of time in which something is valid.

use jiff::Timestamp;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: Timestamp,
    /// Last second.
    pub not_after: Timestamp,
}

/// A time outside of a validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// Before it.
    #[error("not valid before: {} (current time {now}, notAfter {})", .validity.not_before, .validity.not_after)]
    Early {
        /// The span.
        validity: Validity,
        /// When it was looked at.
        now: Timestamp,
    },
    /// After it.
    #[error(
        "not valid anymore. Expired on {} (current time {now}, notBefore {})",
        .validity.not_after, .validity.not_before
    )]
    Late {
        /// The span.
        validity: Validity,
        /// When it was looked at.
        now: Timestamp,
    },
}

impl Validity {
    /// The span that a certificate states.
    ///
    /// A time that [`Timestamp`] cannot hold is beyond the year 9999 and taken as its end.
    pub fn of(certificate: &X509Certificate<'_>) -> Self {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let stated = certificate.validity();
        Self { not_before: at(stated.not_before.timestamp()), not_after: at(stated.not_after.timestamp()) }
    }

    /// What is in both spans.
    pub fn and(self, other: Self) -> Self {
        Self { not_before: self.not_before.max(other.not_before), not_after: self.not_after.min(other.not_after) }
    }

    /// Whether a time is within.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.check(now).is_ok()
    }

    /// Checks that a time is within.
    ///
    /// # Errors
    /// On which side it is outside.
    pub fn check(&self, now: Timestamp) -> Result<(), Untimely> {
        // The last second is valid to its end.
        if now.as_second() > self.not_after.as_second() {
            return Err(Untimely::Late { validity: *self, now });
        }
        if now < self.not_before {
            return Err(Untimely::Early { validity: *self, now });
        }
        Ok(())
    }

    /// What is left at a time; zero outside.
    pub fn remaining(&self, now: Timestamp) -> Duration {
        if now < self.not_before {
            return Duration::ZERO;
        }
        Duration::try_from(self.not_after.duration_since(now)).unwrap_or(Duration::ZERO)
    }
}
