//! An issuer with the anchors that trust it: what one request works with from its start to its end.

use super::{
    chain::{ChainError, TrustAnchors},
    issuer::Issuer,
    validity::Validity,
};
use jiff::Timestamp;
use std::time::Duration;

/// An issuer that the trust anchors trust. Immutable.
pub struct Authority {
    issuer: Issuer,
    anchors: TrustAnchors,
    /// When: signatures are verified once, since only time changes the answer.
    trusted: Vec<Validity>,
}

impl Authority {
    /// Joins issuer and anchors. `probe_name` is an identity that the issuer will have to certify.
    ///
    /// # Errors
    /// When the anchors do not trust the issuer now.
    pub fn new(issuer: Issuer, anchors: TrustAnchors, probe_name: &str, now: Timestamp) -> Result<Self, ChainError> {
        let trusted = anchors.verify(&issuer, probe_name, now)?;
        Ok(Self { issuer, anchors, trusted })
    }

    /// Checks that the anchors trust the issuer at a time.
    ///
    /// # Errors
    /// When they do not, so that no proxy would accept its certificates.
    pub fn verify(&self, now: Timestamp) -> Result<(), ChainError> {
        if self.trusted.iter().any(|time| time.contains(now)) {
            return Ok(());
        }
        self.issuer.chain_validity().check(now)?;
        Err(ChainError::no_anchor(self.trusted.iter().copied(), now))
    }

    /// When the issuer can serve no longer: it has ended, or a certificate of its file, or the last anchor
    /// that trusts it. `now` if it cannot serve now.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        // One anchor may take over where another one ends.
        let next = |end: Timestamp| {
            let later = self.trusted.iter().filter(|time| time.contains(end)).map(|time| time.not_after).max();
            later.filter(|later| *later > end)
        };
        std::iter::successors(Some(now), |end| next(*end)).last().unwrap_or(now)
    }

    /// How long the issuer can still serve.
    pub fn remaining(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.end(now).duration_since(now)).unwrap_or_default()
    }

    /// The issuer.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The trust anchors.
    pub fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }
}
