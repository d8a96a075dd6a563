//! Leaf certificates, exactly as proxies expect them (RFC 5280).
//!
//! They are assembled here because the issuer's name must be copied byte for byte: a chain is joined by
//! comparing encodings, and an encoder of names rewrites those that it did not make.

use super::{der, issuer::Issuer, validity::Validity};
use aws_lc_rs::rand::{self, SystemRandom};
use jiff::Timestamp;
use std::time::Duration;

/// An uncompressed point on P-256: 0x04, X and Y.
pub type P256Point = [u8; 65];

/// How long leaf certificates are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Life after issuance; more than zero.
    pub lifetime: Duration,
    /// How far the clocks of machines may be apart; added at both ends.
    pub clock_skew: Duration,
}

/// What a leaf certificate says.
#[derive(Clone, Copy, Debug)]
pub struct LeafRequest<'a> {
    /// The workload's identity, the only name.
    pub name: &'a str,
    /// Whether the subject is the name; else it is empty.
    pub has_common_name: bool,
    /// The workload's public key.
    pub public_key: &'a P256Point,
}

/// A signed leaf certificate.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate.
    pub der: Vec<u8>,
    /// Its validity.
    pub validity: Validity,
    /// Whether the issuer's own end left less than half of the lifetime that is configured.
    pub is_short: bool,
}

/// The crypto provider failed, as it does when the system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign: the crypto provider failed")]
pub struct SigningError;

impl Issuer {
    /// Signs a leaf certificate.
    ///
    /// Whether the issuer is trusted now is the caller's to check.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn issue(&self, leaf: LeafRequest<'_>, lifetimes: Lifetimes, now: Timestamp) -> Result<Leaf, SigningError> {
        let validity = self.leaf_validity(lifetimes, now);
        let mut serial = [0; 16];
        rand::fill(&mut serial).map_err(|_| SigningError)?;
        let body = self.body(leaf, validity, &serial);
        let signature = self.key.sign(&SystemRandom::new(), &body).map_err(|_| SigningError)?;
        let der = der::sequence(&[&body, ECDSA_WITH_SHA256, &der::bit_string(signature.as_ref())]);
        let is_short = validity.remaining(now) < lifetimes.lifetime / 2;
        Ok(Leaf { der, validity, is_short })
    }

    fn leaf_validity(&self, lifetimes: Lifetimes, now: Timestamp) -> Validity {
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let wanted = now.saturating_add(lifetimes.lifetime).and_then(|end| end.saturating_add(lifetimes.clock_skew));
        let end = self.chain_validity().not_after;
        Validity {
            not_before: now.saturating_sub(lifetimes.clock_skew).unwrap_or(now),
            not_after: wanted.map_or(end, |wanted| wanted.min(end)),
        }
    }

    /// The part that is signed: `TBSCertificate`.
    fn body(&self, leaf: LeafRequest<'_>, validity: Validity, serial: &[u8]) -> Vec<u8> {
        let subject = if leaf.has_common_name { common_name(leaf.name) } else { der::sequence(&[]) };
        der::sequence(&[
            VERSION_3,
            &der::unsigned(serial),
            ECDSA_WITH_SHA256,
            &self.subject,
            &der::sequence(&[&der::time(validity.not_before), &der::time(validity.not_after)]),
            &subject,
            &der::sequence(&[P256, &der::bit_string(leaf.public_key)]),
            &der::tagged(0xa3, &[&self.extensions(leaf)]),
        ])
    }

    fn extensions(&self, leaf: LeafRequest<'_>) -> Vec<u8> {
        let issuer_id = self.key_id.as_ref().map(|id| {
            let id = der::sequence(&[&der::tagged(0x80, &[id])]);
            der::extension(AUTHORITY_KEY_IDENTIFIER, false, &id)
        });
        let name = der::sequence(&[&der::tagged(0x82, &[leaf.name.as_bytes()])]);
        der::sequence(&[
            &der::extension(KEY_USAGE, true, SIGNATURE_AND_ENCIPHERMENT),
            &der::extension(EXTENDED_KEY_USAGE, false, &der::sequence(&[SERVER_AUTH, CLIENT_AUTH])),
            issuer_id.as_deref().unwrap_or_default(),
            // RFC 5280, 4.2.1.6: critical where the subject is empty.
            &der::extension(SUBJECT_ALTERNATIVE_NAME, !leaf.has_common_name, &name),
        ])
    }
}

fn common_name(name: &str) -> Vec<u8> {
    der::sequence(&[&der::set(&[&der::sequence(&[COMMON_NAME, &der::directory_string(name)])])])
}

/// `[0] EXPLICIT INTEGER 2`.
const VERSION_3: &[u8] = &[0xa0, 3, 2, 1, 2];
/// `AlgorithmIdentifier` of 1.2.840.10045.4.3.2, without parameters (RFC 5758).
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// `AlgorithmIdentifier` of id-ecPublicKey with the named curve prime256v1 (RFC 5480).
const P256: &[u8] = &[0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// 2.5.4.3.
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
/// 2.5.29.15.
const KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 15];
/// Bits 0 and 2 of three.
const SIGNATURE_AND_ENCIPHERMENT: &[u8] = &[3, 2, 5, 0b1010_0000];
/// 2.5.29.17.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[6, 3, 0x55, 0x1d, 17];
/// 2.5.29.35.
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[6, 3, 0x55, 0x1d, 35];
/// 2.5.29.37.
const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 37];
/// 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
/// 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];

#[cfg(test)]
mod tests;
