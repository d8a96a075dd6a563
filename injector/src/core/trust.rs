//! Trust anchors: the certificates that proxies verify each other with.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use x509_parser::{certificate::X509Certificate, pem::Pem, prelude::FromDer};

/// A bundle of trust anchors that a proxy can load.
///
/// Two bundles that differ only in white space at their ends are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchors {
    pem: String,
    sha256: String,
}

/// A bundle that would stop every proxy at its start.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAnchors {
    /// Nothing is there.
    #[error("there are no trust anchors; provide a PEM bundle with at least one certificate")]
    Empty,
    /// Broken base64 or armour.
    #[error("block {number} of the trust anchors is not PEM: {source}")]
    Pem {
        /// Position in the bundle, from 1.
        number: usize,
        /// What is wrong.
        source: x509_parser::error::PEMError,
    },
    /// PEM of something else.
    #[error("block {number} of the trust anchors is a {label}, not a CERTIFICATE; a key must never be in this file")]
    Label {
        /// Position in the bundle, from 1.
        number: usize,
        /// What it is.
        label: String,
    },
    /// A certificate that cannot be read.
    #[error("certificate {number} of the trust anchors cannot be read: {reason}")]
    Certificate {
        /// Position in the bundle, from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
}

impl TrustAnchors {
    /// Reads a PEM bundle. Text outside the PEM blocks is allowed.
    ///
    /// # Errors
    /// No certificate, or a block that is not one.
    pub fn parse(bundle: &str) -> Result<Self, InvalidAnchors> {
        let pem = bundle.trim();
        let mut count = 0;
        for (i, block) in Pem::iter_from_buffer(pem.as_bytes()).enumerate() {
            let number = i + 1;
            let block = block.map_err(|source| InvalidAnchors::Pem { number, source })?;
            if block.label != "CERTIFICATE" {
                return Err(InvalidAnchors::Label { number, label: block.label });
            }
            X509Certificate::from_der(&block.contents)
                .map_err(|error| InvalidAnchors::Certificate { number, reason: error.to_string() })?;
            count += 1;
        }
        if count == 0 {
            return Err(InvalidAnchors::Empty);
        }
        Ok(Self { sha256: hex(&Sha256::digest(pem)), pem: pem.to_owned() })
    }

    /// The bundle without white space at its ends.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Lower-case hexadecimal SHA-256 of [`TrustAnchors::pem`].
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &str = include_str!("../../tests/fixtures/trust-anchors.pem");

    // Acceptance cases 25 and 79.
    #[test]
    fn a_bundle_has_one_hash_with_or_without_a_final_newline() {
        let anchors = TrustAnchors::parse(BUNDLE).unwrap();
        assert_eq!(anchors, TrustAnchors::parse(BUNDLE.trim_end()).unwrap());
        assert_eq!(anchors.sha256(), hex(&Sha256::digest(BUNDLE.trim())));
        assert_eq!(anchors.sha256().len(), 64);
    }

    #[test]
    fn a_bundle_that_would_stop_proxies_is_refused() {
        assert!(matches!(TrustAnchors::parse(" \n"), Err(InvalidAnchors::Empty)));
        assert!(matches!(TrustAnchors::parse("# comment"), Err(InvalidAnchors::Empty)));
        let bad_base64 = BUNDLE.replacen("MII", "M!I", 1);
        assert!(matches!(TrustAnchors::parse(&bad_base64), Err(InvalidAnchors::Pem { number: 1, .. })));
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(TrustAnchors::parse(&format!("{BUNDLE}{key}")), Err(InvalidAnchors::Label { number: 2, .. })));
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(TrustAnchors::parse(garbage), Err(InvalidAnchors::Certificate { number: 1, .. })));
    }
}
