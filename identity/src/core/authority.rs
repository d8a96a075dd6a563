//! An issuer with the anchors that trust it: what one request works with from its start to its end.

use super::{
    chain::{ChainError, TrustAnchors},
    issuer::Issuer,
    validity::Validity,
};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// An issuer that the trust anchors trust.
///
/// Immutable, but for a note of how long the last verification stays true.
pub struct Authority {
    issuer: Issuer,
    anchors: TrustAnchors,
    probe_name: String,
    verified: ArcSwap<Validity>,
}

impl Authority {
    /// Joins issuer and anchors. `probe_name` is an identity that the issuer will have to certify.
    ///
    /// # Errors
    /// When the anchors do not trust the issuer now.
    pub fn new(
        issuer: Issuer,
        anchors: TrustAnchors,
        probe_name: impl Into<String>,
        now: Timestamp,
    ) -> Result<Self, ChainError> {
        let probe_name = probe_name.into();
        let verified = ArcSwap::from_pointee(anchors.verify(&issuer, &probe_name, now)?);
        Ok(Self { issuer, anchors, probe_name, verified })
    }

    /// Checks that the anchors trust the issuer at a time.
    ///
    /// Signatures are verified again only when the last path has ended: another one may exist.
    ///
    /// # Errors
    /// When they do not, so that no proxy would accept its certificates.
    pub fn verify(&self, now: Timestamp) -> Result<(), ChainError> {
        if self.verified.load().contains(now) {
            return Ok(());
        }
        self.verified.store(Arc::new(self.anchors.verify(&self.issuer, &self.probe_name, now)?));
        Ok(())
    }

    /// How long the issuer can still serve: until it, a certificate of its file or its last anchor ends.
    pub fn remaining(&self, now: Timestamp) -> Duration {
        let longest = self.anchors.iter().map(|anchor| anchor.validity.remaining(now)).max().unwrap_or_default();
        self.issuer.chain_validity().remaining(now).min(longest)
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
