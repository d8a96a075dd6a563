//! Private keys of issuers.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;

/// A private key that was read.
pub enum PrivateKey {
    /// Of ECDSA P-256, which signs.
    P256(Box<EcdsaKeyPair>),
    /// Of another algorithm, which is refused once it is known whose it is.
    Unfit {
        /// The public key, as in the bit string of a certificate.
        public: Vec<u8>,
    },
}

/// A key that is damaged, or of an algorithm that is neither RSA nor a NIST curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse private key: use ECDSA P-256, as SEC1 or PKCS#8")]
pub struct KeyError;

impl PrivateKey {
    /// Reads a key of SEC1, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// When it is damaged or of an unknown algorithm.
    pub fn read(der: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        match der {
            PrivateKeyDer::Sec1(_) => Self::elliptic(der.secret_der()),
            PrivateKeyDer::Pkcs1(_) => Self::rsa(RsaKeyPair::from_der(der.secret_der())),
            PrivateKeyDer::Pkcs8(_) => {
                Self::elliptic(der.secret_der()).or_else(|_| Self::rsa(RsaKeyPair::from_pkcs8(der.secret_der())))
            }
            _ => Err(KeyError),
        }
    }

    fn elliptic(der: &[u8]) -> Result<Self, KeyError> {
        let read = |algorithm: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_private_key_der(algorithm, der);
        if let Ok(key) = read(&ECDSA_P256_SHA256_ASN1_SIGNING) {
            return Ok(Self::P256(Box::new(key)));
        }
        let other = read(&ECDSA_P384_SHA384_ASN1_SIGNING).or_else(|_| read(&ECDSA_P521_SHA512_ASN1_SIGNING));
        other.map(|key| Self::Unfit { public: key.public_key().as_ref().to_vec() }).map_err(|_| KeyError)
    }

    fn rsa<E>(key: Result<RsaKeyPair, E>) -> Result<Self, KeyError> {
        key.map(|key| Self::Unfit { public: key.public_key().as_ref().to_vec() }).map_err(|_| KeyError)
    }

    /// The public key, as in the bit string of a certificate.
    pub fn public(&self) -> &[u8] {
        match self {
            Self::P256(key) => key.public_key().as_ref(),
            Self::Unfit { public } => public,
        }
    }
}
