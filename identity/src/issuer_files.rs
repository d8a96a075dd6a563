//! Issuer credentials and trust anchors in files, as the kubelet mounts them.

use crate::core::{
    authority::Authority,
    chain::{AnchorError, ChainError, TrustAnchors},
    issuer::{Issuer, IssuerError},
};
use jiff::Timestamp;
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

/// How the files of issuer credentials are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `linkerd.io/tls`: `crt.pem` and `key.pem`.
    Linkerd,
    /// `kubernetes.io/tls`, and any other: `tls.crt` and `tls.key`.
    Kubernetes,
}

impl FromStr for Scheme {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "linkerd.io/tls" { Self::Linkerd } else { Self::Kubernetes })
    }
}

impl Scheme {
    /// Names of the certificates and of the key, in the Secret and in the folder where it is mounted.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Linkerd => ("crt.pem", "key.pem"),
            Self::Kubernetes => ("tls.crt", "tls.key"),
        }
    }
}

/// Name of the trust anchors, in the ConfigMap and in the folder where it is mounted.
pub const TRUST_ANCHORS: &str = "ca-bundle.crt";

/// Where issuer credentials and trust anchors are.
#[derive(Clone, Debug)]
pub struct IssuerFiles {
    /// Certificates in PEM, the issuer's first.
    pub certificates: PathBuf,
    /// The issuer's key in PEM.
    pub key: PathBuf,
    /// Trust anchors in PEM.
    pub trust_anchors: PathBuf,
}

/// Why files hold no authority.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A part that cannot be read: which and why.
    #[error("cannot read {0}")]
    Read(String),
    /// Credentials that cannot issue.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A bundle that cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorError),
    /// Credentials that are not trusted now.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Credentials and trust anchors as they were read, right or wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Certificates in PEM.
    pub certificates: Part,
    /// The issuer's key in PEM.
    pub key: Part,
    /// Trust anchors in PEM.
    pub trust_anchors: Part,
}

/// A part that was read, or which and why not.
pub type Part = Result<Vec<u8>, String>;

impl IssuerFiles {
    /// The files of two mounted folders.
    pub fn new(scheme: Scheme, issuer: &Path, trust_roots: &Path) -> Self {
        let (certificates, key) = scheme.names();
        Self {
            certificates: issuer.join(certificates),
            key: issuer.join(key),
            trust_anchors: trust_roots.join(TRUST_ANCHORS),
        }
    }

    /// Reads the files. What cannot be read is part of the content.
    pub fn read(&self) -> Content {
        Content {
            certificates: read(&self.certificates),
            key: read(&self.key),
            trust_anchors: read(&self.trust_anchors),
        }
    }
}

fn read(path: &Path) -> Part {
    // The kind alone: its text stays the same from one look to the next.
    std::fs::read(path).map_err(|error| format!("{}: {}", path.display(), error.kind()))
}

impl Content {
    /// The authority that was read, if its anchors trust it now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn authority(&self, probe_name: &str, now: Timestamp) -> Result<Authority, LoadError> {
        let read = |part: &'_ Part| part.clone().map_err(LoadError::Read);
        let anchors = TrustAnchors::from_pem(&read(&self.trust_anchors)?)?;
        let issuer = Issuer::from_pem(&read(&self.certificates)?, &read(&self.key)?)?;
        Ok(Authority::new(issuer, anchors, probe_name, now)?)
    }
}
