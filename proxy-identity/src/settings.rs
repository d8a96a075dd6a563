//! What the injector tells the program by environment variables.

use crate::Error;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{fmt, path::PathBuf, str::FromStr};

/// The directory of key and certificate request, which exists already.
pub const DIRECTORY: &str = "LINKERD2_PROXY_IDENTITY_DIR";
/// Trust anchors, PEM. The program only checks them: without one, the proxy could trust nobody.
pub const TRUST_ANCHORS: &str = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS";
/// The identity of the workload.
pub const LOCAL_NAME: &str = "LINKERD2_PROXY_IDENTITY_LOCAL_NAME";

/// Settings found good.
#[derive(Debug)]
pub struct Settings {
    /// Where key and request are written.
    pub directory: PathBuf,
    /// The identity to request a certificate for.
    pub name: Name,
}

/// One thing that is wrong with the environment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A variable is not set, or to nothing.
    #[error("{0} must be set")]
    Missing(&'static str),
    /// No such directory. It is a volume of the pod and never created here.
    #[error("{DIRECTORY} {path:?} is not a directory: {reason}")]
    Directory {
        /// The value of the variable.
        path: String,
        /// What the system says, or what it is instead.
        reason: String,
    },
    /// Not one certificate that can be read.
    #[error("{TRUST_ANCHORS} holds no certificate: {0}")]
    TrustAnchors(String),
    /// Not a name that a certificate can be issued for.
    #[error("{LOCAL_NAME} {0}")]
    Name(#[from] InvalidName),
}

impl Settings {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// [`Error::Settings`] with every mistake there is.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).ok_or(Mistake::Missing(name));
        let directory = set(DIRECTORY).and_then(|path| check_directory(&path));
        let anchors = set(TRUST_ANCHORS).and_then(|pem| check_trust_anchors(&pem));
        let name = set(LOCAL_NAME).and_then(|text| Ok(text.parse::<Name>()?));
        match (directory, anchors, name) {
            (Ok(directory), Ok(()), Ok(name)) => Ok(Self { directory, name }),
            (directory, anchors, name) => {
                Err(Error::Settings([directory.err(), anchors.err(), name.err()].into_iter().flatten().collect()))
            }
        }
    }
}

fn check_directory(path: &str) -> Result<PathBuf, Mistake> {
    let mistake = |reason: String| Mistake::Directory { path: path.to_owned(), reason };
    let found = std::fs::metadata(path).map_err(|error| mistake(error.to_string()))?;
    found.is_dir().then(|| PathBuf::from(path)).ok_or_else(|| mistake("it is a file".to_owned()))
}

/// At least one certificate; text around it and blocks of other types do no harm.
fn check_trust_anchors(pem: &str) -> Result<(), Mistake> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| Mistake::TrustAnchors(error.to_string()))?;
        count += 1;
        x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| Mistake::TrustAnchors(format!("block {count} cannot be read: {error}")))?;
    }
    if count == 0 { Err(Mistake::TrustAnchors("no PEM block of type CERTIFICATE".to_owned())) } else { Ok(()) }
}

/// The name of a workload: a DNS name of at least two labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as it stands in certificates.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not the name of a workload.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fully qualified DNS name such as web.default.serviceaccount.identity.linkerd.cluster.local")]
pub struct InvalidName(String);

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let good = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests;
