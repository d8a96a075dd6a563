//! The credentials that leaf certificates are signed with.

use super::{
    algorithm::{self, AlgorithmError},
    pem::{self, PemError},
    private_key::{KeyError, PrivateKey},
    validity::Validity,
};
use aws_lc_rs::signature::EcdsaKeyPair;
use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer};

/// An issuer: its certificate, further certificates up to a trust anchor, and its key.
pub struct Issuer {
    chain: Vec<CertificateDer<'static>>,
    pub(super) key: EcdsaKeyPair,
    pub(super) public_key: Vec<u8>,
    /// The subject as it is encoded in the certificate.
    pub(super) subject: Vec<u8>,
    pub(super) key_id: Option<Vec<u8>>,
    own_validity: Validity,
    chain_validity: Validity,
}

/// Why credentials cannot issue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// A file that is no PEM of what it should hold.
    #[error("failed to read CA: {0}")]
    Pem(#[from] PemError),
    /// A key that cannot be read.
    #[error("failed to read CA: {0}")]
    Key(#[from] KeyError),
    /// A certificate that cannot be read.
    #[error("failed to read CA: certificate {position} of the issuer file is malformed: {reason}")]
    Certificate {
        /// Position in the file, from 1.
        position: usize,
        /// What the parser says.
        reason: String,
    },
    /// A key that belongs to another certificate.
    #[error("failed to read CA: tls: Public and private key do not match")]
    Mismatch,
    /// An algorithm that is refused.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// A certificate that may not sign others, by its basic constraints or key usage.
    #[error("issuer cert is not a CA")]
    NotCa,
}

impl Issuer {
    /// Reads credentials in PEM: certificates, the issuer's first, and its key.
    ///
    /// # Errors
    /// When they cannot be read, do not belong together, or may not or cannot sign leaf certificates.
    /// Time and trust are not looked at: see [`Authority::new`](super::authority::Authority::new).
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IssuerError> {
        let chain = pem::certificates(certificates)?;
        let key = PrivateKey::read(&pem::private_key(key)?)?;
        let mut parsed = Vec::with_capacity(chain.len());
        for (i, der) in chain.iter().enumerate() {
            parsed.push(parse(der).map_err(|reason| IssuerError::Certificate { position: i + 1, reason })?);
        }
        let Some(own) = parsed.first() else {
            return Err(PemError::NoCertificates.into());
        };
        let public_key = own.public_key().subject_public_key.data.to_vec();
        if key.public() != public_key {
            return Err(IssuerError::Mismatch);
        }
        algorithm::check_issuer(own)?;
        let PrivateKey::P256(key) = key else {
            return Err(IssuerError::Mismatch);
        };
        if !may_sign(own) {
            return Err(IssuerError::NotCa);
        }
        let own_validity = Validity::of(own);
        let chain_validity = parsed.iter().map(Validity::of).fold(own_validity, Validity::and);
        let (subject, key_id) = (own.subject().as_raw().to_vec(), key_id(own));
        Ok(Self { chain, key: *key, public_key, subject, key_id, own_validity, chain_validity })
    }

    /// Its certificate, then the further ones in the order of the file.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Validity of the issuer's own certificate.
    pub fn validity(&self) -> Validity {
        self.own_validity
    }

    /// Validity of all certificates of the file together, which no leaf outlives.
    pub fn chain_validity(&self) -> Validity {
        self.chain_validity
    }
}

fn parse<'a>(der: &'a CertificateDer<'static>) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("trailing bytes".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let constraints = certificate.basic_constraints().ok().flatten();
    let usage = certificate.key_usage();
    constraints.is_some_and(|constraints| constraints.value.ca)
        && usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()))
}

fn key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
