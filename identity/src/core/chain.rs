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

    /// Verifies an issuer just as a proxy will: a leaf certificate for `name` is signed, and the path from
    /// it to an anchor that is valid now is built. Returns how long the answer stays true.
    ///
    /// # Errors
    /// When a certificate of the issuer is not valid now, or no path verifies.
    pub fn verify(&self, issuer: &Issuer, name: &str, now: Timestamp) -> Result<Validity, ChainError> {
        issuer.chain_validity().check(now)?;
        let valid: Vec<&Anchor> = self.0.iter().filter(|anchor| anchor.validity.contains(now)).collect();
        if valid.is_empty() {
            return Err(self.no_anchor(now));
        }
        let probe = CertificateDer::from(probe(issuer, name, now)?);
        let trusted: Vec<TrustAnchor<'_>> = valid.iter().map(|anchor| anchor.trusted.clone()).collect();
        let failed = |error: webpki::Error| ChainError::Verify(error.to_string());
        let leaf = EndEntityCert::try_from(&probe).map_err(failed)?;
        let path = leaf
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &trusted,
                issuer.chain(),
                UnixTime::since_unix_epoch(Duration::try_from(now.as_duration()).unwrap_or_default()),
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(failed)?;
        let server_name = ServerName::try_from(name).map_err(|error| ChainError::Verify(error.to_string()))?;
        leaf.verify_is_valid_for_subject_name(&server_name).map_err(failed)?;
        let used = trusted.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = used.and_then(|used| valid.get(used)).map_or(issuer.chain_validity(), |anchor| anchor.validity);
        Ok(issuer.chain_validity().and(anchor))
    }

    fn no_anchor(&self, now: Timestamp) -> ChainError {
        let last = self.0.iter().max_by_key(|anchor| anchor.validity.not_after);
        match last.map(|anchor| anchor.validity.check(now)) {
            Some(Err(untimely)) => ChainError::NoAnchor(untimely),
            Some(Ok(())) | None => ChainError::Verify("no trust anchor".to_owned()),
        }
    }
}

impl Anchor {
    fn read(der: &CertificateDer<'static>) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let trusted = anchor_from_trusted_cert(der).map_err(|error| error.to_string())?.to_owned();
        Ok(Self { subject: certificate.subject().to_string(), validity: Validity::of(&certificate), trusted })
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
