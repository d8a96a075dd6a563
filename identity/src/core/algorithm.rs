//! Which key and signature algorithms issuers and trust anchors may use.

use std::fmt;
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_DSA, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
        OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA,
        OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
        OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
    },
    public_key::PublicKey,
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo},
};

/// Algorithm of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA over NIST P-256.
    P256,
    /// ECDSA over another curve, by its name such as `P-384`.
    OtherCurve(String),
    /// RSA with a modulus of so many bits.
    Rsa(usize),
    /// Anything else, by its name or object identifier.
    Other(String),
}

impl KeyAlgorithm {
    /// The algorithm of a public key.
    pub fn of(key: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &key.algorithm.algorithm;
        if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Self::curve(&key.algorithm);
        }
        if *algorithm == OID_PKCS1_RSAENCRYPTION {
            let bits = match key.parsed() {
                Ok(PublicKey::RSA(rsa)) => rsa.key_size(),
                _ => 0,
            };
            return Self::Rsa(bits);
        }
        if *algorithm == OID_SIG_ED25519 {
            return Self::Other("Ed25519".to_owned());
        }
        if *algorithm == OID_KEY_TYPE_DSA {
            return Self::Other("DSA".to_owned());
        }
        Self::Other(algorithm.to_id_string())
    }

    fn curve(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let Some(curve) = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()) else {
            return Self::OtherCurve("an unnamed curve".to_owned());
        };
        if curve == OID_EC_P256 {
            Self::P256
        } else if curve == OID_NIST_EC_P384 {
            Self::OtherCurve("P-384".to_owned())
        } else if curve == OID_NIST_EC_P521 {
            Self::OtherCurve("P-521".to_owned())
        } else {
            Self::OtherCurve(curve.to_id_string())
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::OtherCurve(curve) => write!(f, "ECDSA {curve}"),
            Self::Rsa(_) => f.write_str("RSA"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Why an algorithm is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// An issuer's key that is not for ECDSA.
    #[error("issuer certificate must use ECDSA for public key algorithm, instead {0} was used")]
    IssuerKey(KeyAlgorithm),
    /// A key for ECDSA over another curve.
    #[error("must use P-256 curve for public key, instead {0} was used")]
    Curve(String),
    /// An anchor's key for neither ECDSA nor RSA.
    #[error("trust anchor must use ECDSA or RSA for public key algorithm, instead {0} was used")]
    AnchorKey(KeyAlgorithm),
    /// An RSA key of another length.
    #[error("RSA must use a 2048 or 4096 bit public key, instead {0} bit public key was used")]
    RsaLength(usize),
    /// A signature by neither of those of ECDSA P-256 and RSA with SHA-256.
    #[error("must be signed by an ECDSA P-256 key, instead {0} was used")]
    EcdsaSignature(String),
    /// A signature of an RSA anchor that is not RSA with SHA-256.
    #[error("must be signed by an RSA 2048/4096 bit key, instead {0} was used")]
    RsaSignature(String),
}

/// Checks the algorithms of an issuer: key of ECDSA P-256, signed with SHA-256 by ECDSA or RSA.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_issuer(certificate: &X509Certificate<'_>) -> Result<(), AlgorithmError> {
    match KeyAlgorithm::of(certificate.public_key()) {
        KeyAlgorithm::P256 => check_ecdsa_signature(certificate),
        KeyAlgorithm::OtherCurve(curve) => Err(AlgorithmError::Curve(curve)),
        key @ (KeyAlgorithm::Rsa(_) | KeyAlgorithm::Other(_)) => Err(AlgorithmError::IssuerKey(key)),
    }
}

/// Checks the algorithms of a trust anchor: key of ECDSA P-256, or of RSA with 2048 or 4096 bits.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_anchor(certificate: &X509Certificate<'_>) -> Result<(), AlgorithmError> {
    match KeyAlgorithm::of(certificate.public_key()) {
        KeyAlgorithm::P256 => check_ecdsa_signature(certificate),
        KeyAlgorithm::OtherCurve(curve) => Err(AlgorithmError::Curve(curve)),
        KeyAlgorithm::Rsa(2048 | 4096) if signed_with(certificate, SHA256_RSA) => Ok(()),
        KeyAlgorithm::Rsa(2048 | 4096) => Err(AlgorithmError::RsaSignature(signature_name(certificate))),
        KeyAlgorithm::Rsa(bits) => Err(AlgorithmError::RsaLength(bits)),
        key @ KeyAlgorithm::Other(_) => Err(AlgorithmError::AnchorKey(key)),
    }
}

fn check_ecdsa_signature(certificate: &X509Certificate<'_>) -> Result<(), AlgorithmError> {
    if signed_with(certificate, ECDSA_SHA256) || signed_with(certificate, SHA256_RSA) {
        return Ok(());
    }
    Err(AlgorithmError::EcdsaSignature(signature_name(certificate)))
}

const ECDSA_SHA256: &str = "ECDSA-SHA256";
const SHA256_RSA: &str = "SHA256-RSA";

fn signed_with(certificate: &X509Certificate<'_>, name: &str) -> bool {
    signature_name(certificate) == name
}

fn signature_name(certificate: &X509Certificate<'_>) -> String {
    let algorithm = &certificate.signature_algorithm.algorithm;
    let known = [
        (OID_SIG_ECDSA_WITH_SHA256, ECDSA_SHA256),
        (OID_SIG_ECDSA_WITH_SHA384, "ECDSA-SHA384"),
        (OID_SIG_ECDSA_WITH_SHA512, "ECDSA-SHA512"),
        (OID_PKCS1_SHA256WITHRSA, SHA256_RSA),
        (OID_PKCS1_SHA384WITHRSA, "SHA384-RSA"),
        (OID_PKCS1_SHA512WITHRSA, "SHA512-RSA"),
        (OID_PKCS1_SHA1WITHRSA, "SHA1-RSA"),
        (OID_PKCS1_RSASSAPSS, "RSA-PSS"),
        (OID_SIG_ED25519, "Ed25519"),
    ];
    let name = known.iter().find(|(oid, _)| oid == algorithm).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| algorithm.to_id_string())
}
