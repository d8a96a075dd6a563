//! Trust anchors, and whether what an issuer signs is trusted by them.

use super::{
    issuer::Issuer,
    leaf::{LeafRequest, Lifetimes, SigningError},
    pem::{self, PemError},
    validity::{Untimely, Validity},
};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// The certificates that proxies trust.
pub struct TrustAnchors(Vec<Anchor>);

/// One trust anchor.
pub struct Anchor {
    /// Its subject, as a text for people.
    pub subject: String,
    /// Its validity.
    pub validity: Validity,
    trusted: TrustAnchor<'static>,
}

/// Why a bundle of trust anchors cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// A file without certificates.
    #[error("cannot read the trust anchors: {0}")]
    Pem(#[from] PemError),
    /// A certificate that cannot be read.
    #[error("trust anchor {position} is malformed: {reason}")]
    Certificate {
        /// Position in the bundle, from 1.
        position: usize,
        /// What the parser says.
        reason: String,
    },
}

/// Why what an issuer signs is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A certificate of the issuer file is not valid now.
    #[error("issuer certificate: {0}")]
    Untimely(#[from] Untimely),
    /// No anchor is valid now.
    #[error("no trust anchor is valid at this time; the last one: {0}")]
    NoAnchor(Untimely),
    /// A leaf certificate does not verify as a proxy verifies it.
    #[error("leaf certificates of the issuer do not verify against the trust anchors: {0}")]
    Verify(String),
    /// The crypto provider failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl TrustAnchors {
    /// Reads a bundle in PEM.
    ///
    /// # Errors
    /// When it holds no certificate, or a malformed one.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, AnchorError> {
        let anchors = pem::certificates(bundle)?;
        let read = anchors
            .iter()
            .enumerate()
            .map(|(i, der)| Anchor::read(der).map_err(|reason| AnchorError::Certificate { position: i + 1, reason }));
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// The anchors, in the order of the bundle.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }

    /// Verifies an issuer just as a proxy will: a leaf certificate for `name` is signed, and the path from it
    /// to each anchor is built. Returns the times at which a proxy will accept it: for each anchor that it
    /// leads to, those of this anchor. Now is one of them.
    ///
    /// Which algorithms anchors use is theirs and the proxies' affair: one that nothing leads to does no harm.
    ///
    /// # Errors
    /// When a certificate of the issuer is not valid now, or no path verifies.
    pub fn verify(&self, issuer: &Issuer, name: &str, now: Timestamp) -> Result<Vec<Validity>, ChainError> {
        issuer.chain_validity().check(now)?;
        let (mut times, mut failure) = (Vec::new(), None);
        for anchor in &self.0 {
            let time = issuer.chain_validity().and(anchor.validity);
            // An anchor may become valid later.
            let at = now.max(time.not_before);
            if !time.contains(at) {
                continue;
            }
            match anchor.verify(issuer, name, at) {
                Ok(()) => times.push(time),
                Err(error) => failure = Some(error),
            }
        }
        match times.iter().any(|time| time.contains(now)) {
            true => Ok(times),
            false if self.0.iter().any(|anchor| anchor.validity.contains(now)) => {
                Err(failure.unwrap_or_else(|| self.no_anchor(now)))
            }
            false => Err(self.no_anchor(now)),
        }
    }

    fn no_anchor(&self, now: Timestamp) -> ChainError {
        ChainError::no_anchor(self.0.iter().map(|anchor| anchor.validity), now)
    }
}

impl ChainError {
    /// None of these times is now.
    pub(super) fn no_anchor(times: impl IntoIterator<Item = Validity>, now: Timestamp) -> Self {
        let last = times.into_iter().max_by_key(|time| time.not_after);
        match last.map(|time| time.check(now)) {
            Some(Err(untimely)) => Self::NoAnchor(untimely),
            Some(Ok(())) | None => Self::Verify("no trust anchor".to_owned()),
        }
    }
}

impl Anchor {
    fn read(der: &CertificateDer<'static>) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let trusted = anchor_from_trusted_cert(der).map_err(|error| error.to_string())?.to_owned();
        Ok(Self { subject: certificate.subject().to_string(), validity: Validity::of(&certificate), trusted })
    }

    /// Whether a leaf certificate of an issuer is accepted at a time by who trusts this anchor alone.
    fn verify(&self, issuer: &Issuer, name: &str, at: Timestamp) -> Result<(), ChainError> {
        let failed = |error: webpki::Error| ChainError::Verify(error.to_string());
        let probe = CertificateDer::from(probe(issuer, name, at)?);
        let leaf = EndEntityCert::try_from(&probe).map_err(failed)?;
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            std::slice::from_ref(&self.trusted),
            issuer.chain(),
            UnixTime::since_unix_epoch(Duration::try_from(at.as_duration()).unwrap_or_default()),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(failed)?;
        let server_name = ServerName::try_from(name).map_err(|error| ChainError::Verify(error.to_string()))?;
        leaf.verify_is_valid_for_subject_name(&server_name).map_err(failed)
    }
}

/// A leaf certificate like any other, over the issuer's own key. Nobody gets it.
fn probe(issuer: &Issuer, name: &str, now: Timestamp) -> Result<Vec<u8>, SigningError> {
    let public_key = issuer.public_key.as_slice().try_into().map_err(|_| SigningError)?;
    let lifetimes = Lifetimes { lifetime: Duration::from_secs(60), clock_skew: Duration::from_secs(60) };
    let leaf = LeafRequest { name, has_common_name: true, public_key };
    Ok(issuer.issue(leaf, lifetimes, now)?.der)
}

#[cfg(test)]
mod tests;
