//! PEM text as people and tools write it.
//!
//! Text, comments and blocks of other kinds may stand between the blocks, and lines may be indented.

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{PemObject, SectionKind},
};

/// Why a text holds no certificate or key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No certificate at all.
    #[error("No certificates found")]
    NoCertificates,
    /// No PEM at all, where a key is expected.
    #[error("not PEM-encoded")]
    NotPem,
    /// Blocks, but none that is a key.
    #[error("unsupported block type: '{0}'")]
    Unsupported(String),
    /// A block that is cut off or not base64.
    #[error("malformed PEM: {0}")]
    Malformed(String),
}

/// All certificates of a text, in order.
///
/// # Errors
/// When there is none, or a block is malformed.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut found = Vec::new();
    for (kind, der) in sections(text)? {
        if kind == SectionKind::Certificate {
            found.push(CertificateDer::from(der));
        }
    }
    if found.is_empty() { Err(PemError::NoCertificates) } else { Ok(found) }
}

/// The first private key of a text: SEC1, PKCS#1 or PKCS#8.
///
/// # Errors
/// When there is none, or a block is malformed.
pub fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let keys = sections(text)?;
    keys.into_iter().find_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der)).ok_or_else(|| no_key(text))
}

fn no_key(text: &[u8]) -> PemError {
    let text = String::from_utf8_lossy(text);
    let label = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"));
    label.map_or(PemError::NotPem, |(label, _)| PemError::Unsupported(label.to_owned()))
}

fn sections(text: &[u8]) -> Result<Vec<(SectionKind, Vec<u8>)>, PemError> {
    let without_mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let trimmed: Vec<&[u8]> = without_mark.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    let trimmed = trimmed.join(&b'\n');
    let read = <(SectionKind, Vec<u8>)>::pem_slice_iter(&trimmed).collect::<Result<Vec<_>, _>>();
    read.map_err(|error| PemError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
