//! Issuer credentials and trust anchors in files, as the kubelet mounts them.

use crate::core::{
    authority::Authority,
    chain::{AnchorError, ChainError, TrustAnchors},
    issuer::{Issuer, IssuerError},
};
use jiff::Timestamp;
use std::{
    io,
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
    /// A file that cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
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

/// What the files held when they were read.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    certificates: Read,
    key: Read,
    trust_anchors: Read,
}

type Read = Result<Vec<u8>, (String, io::ErrorKind)>;

impl IssuerFiles {
    /// The files of two mounted folders.
    pub fn new(scheme: Scheme, issuer: &Path, trust_roots: &Path) -> Self {
        let (certificates, key) = match scheme {
            Scheme::Linkerd => ("crt.pem", "key.pem"),
            Scheme::Kubernetes => ("tls.crt", "tls.key"),
        };
        Self {
            certificates: issuer.join(certificates),
            key: issuer.join(key),
            trust_anchors: trust_roots.join("ca-bundle.crt"),
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

fn read(path: &Path) -> Read {
    std::fs::read(path).map_err(|error| (path.display().to_string(), error.kind()))
}

impl Content {
    /// The authority that was read, if its anchors trust it now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn authority(&self, probe_name: &str, now: Timestamp) -> Result<Authority, LoadError> {
        let anchors = TrustAnchors::from_pem(part(&self.trust_anchors)?)?;
        let issuer = Issuer::from_pem(part(&self.certificates)?, part(&self.key)?)?;
        Ok(Authority::new(issuer, anchors, probe_name, now)?)
    }
}

fn part(read: &Read) -> Result<&[u8], LoadError> {
    match read {
        Ok(content) => Ok(content),
        Err((path, reason)) => Err(LoadError::Read { path: path.clone(), reason: reason.to_string() }),
    }
}
