//! New credentials: a root and an issuer below it.

use crate::core::{
    authority::Authority,
    chain::{AnchorError, ChainError, TrustAnchors},
    issuer::{Issuer, IssuerError},
};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use x509_parser::time::ASN1Time;

const DAY: i64 = 24 * 60 * 60;

/// How far the clocks of machines may be apart.
const CLOCK_SKEW: i64 = 10;

/// A root, which proxies trust, and an issuer, which signs their certificates. All in PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The root's certificate: the trust anchor.
    pub trust_anchor: String,
    /// The root's key. Nothing needs it until the issuer is replaced.
    pub trust_anchor_key: String,
    /// The issuer's certificate.
    pub issuer: String,
    /// The issuer's key.
    pub issuer_key: String,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The crypto provider failed, or the time is beyond what certificates can state.
    #[error("cannot make issuer credentials: {0}")]
    Crypto(#[from] rcgen::Error),
    /// A time that no certificate can state.
    #[error("cannot make issuer credentials: no certificate can state a time near {0}")]
    Time(Timestamp),
}

/// Why credentials are no authority.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// An issuer that cannot issue.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A trust anchor that cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorError),
    /// They do not belong together, or have expired.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl Credentials {
    /// Makes a root for 10 years and an issuer for one, both with keys of ECDSA P-256.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn generate(control_plane_namespace: &str, trust_domain: &str, now: Timestamp) -> Result<Self, GenerateError> {
        let name = format!("root.{control_plane_namespace}.{trust_domain}");
        let root = authority(&name, BasicConstraints::Unconstrained, now, 3650)?;
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?;
        let name = format!("identity.{control_plane_namespace}.{trust_domain}");
        let issuer_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let issuer = authority(&name, BasicConstraints::Constrained(0), now, 365)?.signed_by(&issuer_key, &root)?;
        Ok(Self {
            trust_anchor: root.pem(),
            trust_anchor_key: root.key().serialize_pem(),
            issuer: issuer.pem(),
            issuer_key: issuer_key.serialize_pem(),
        })
    }

    /// The authority that these credentials are.
    ///
    /// `probe_name` is an identity that it will have to certify, such as that of the service itself.
    ///
    /// # Errors
    /// When they cannot issue, or the trust anchor does not trust the issuer now.
    pub fn authority(&self, probe_name: &str, now: Timestamp) -> Result<Authority, CredentialsError> {
        let issuer = Issuer::from_pem(self.issuer.as_bytes(), self.issuer_key.as_bytes())?;
        let anchors = TrustAnchors::from_pem(self.trust_anchor.as_bytes())?;
        Ok(Authority::new(issuer, anchors, probe_name, now)?)
    }
}

fn authority(
    name: &str,
    constraints: BasicConstraints,
    now: Timestamp,
    days: i64,
) -> Result<CertificateParams, GenerateError> {
    let at = |seconds: i64| ASN1Time::from_timestamp(now.as_second().saturating_add(seconds));
    let (Ok(not_before), Ok(not_after)) = (at(-CLOCK_SKEW), at(days * DAY + CLOCK_SKEW)) else {
        return Err(GenerateError::Time(now));
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = not_before.to_datetime();
    params.not_after = not_after.to_datetime();
    Ok(params)
}

#[cfg(test)]
mod tests;
