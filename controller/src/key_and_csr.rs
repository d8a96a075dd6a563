//! Key and signing request of a workload, as the agent that starts a proxy makes them.

use linkerd_k8s::identity::is_dns_subdomain;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A P-256 key and a signing request for a name, signed with it.
pub struct KeyAndCsr {
    /// PKCS #8, DER.
    pub key: Vec<u8>,
    /// PKCS #10, DER.
    pub csr: Vec<u8>,
}

/// Why there is no key or request.
#[derive(Debug, thiserror::Error)]
pub enum KeyAndCsrError {
    /// A name that cannot be a workload's.
    #[error("{0:?} is not a fully qualified DNS name")]
    Name(String),
    /// The crypto provider failed.
    #[error("cannot make a key and signing request: {0}")]
    Crypto(#[from] rcgen::Error),
}

impl KeyAndCsr {
    /// Makes a key and a request of which subject and alternative name are `name`.
    ///
    /// # Errors
    /// When the name has fewer than two labels, or the crypto provider fails.
    pub fn generate(name: &str) -> Result<Self, KeyAndCsrError> {
        if !is_dns_subdomain(name) || !name.contains('.') {
            return Err(KeyAndCsrError::Name(name.to_owned()));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, DnValue::PrintableString(name.try_into()?));
        params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
        let csr = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { key: key.serialize_der(), csr })
    }

    /// Writes `key.p8` and `csr.der` into a folder, for its owner only.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        write_private(&folder.join("key.p8"), &self.key)?;
        write_private(&folder.join("csr.der"), &self.csr)
    }
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    // An existing file keeps its mode, whatever it is.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

#[cfg(test)]
mod tests;
