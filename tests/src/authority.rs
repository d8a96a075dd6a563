//! A certificate authority for tests: a root that clients trust, and an issuer below it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;

/// A root and an issuer, both with P-256 keys.
pub struct Authority {
    pub root: CertifiedIssuer<'static, KeyPair>,
    pub issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn make() -> Result<Self> {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        let root = CertifiedIssuer::self_signed(params("root.linkerd.cluster.local")?, key()?)?;
        let issuer = CertifiedIssuer::signed_by(params("identity.linkerd.cluster.local")?, key()?, &root)?;
        Ok(Self { root, issuer })
    }

    /// The trust anchor.
    pub fn anchor(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    /// Writes `crt.pem` and `key.pem` to one folder, as the Secret of the issuer is mounted, and
    /// `ca-bundle.crt` to another, as the ConfigMap of the trust anchors is.
    pub fn write(&self, issuer: &Path, trust_roots: &Path) -> Result<()> {
        let write = |folder: &Path, file: &str, content: String| {
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(folder.join(file), content))
                .with_context(|| format!("cannot write {file} to {}", folder.display()))
        };
        write(issuer, "crt.pem", self.issuer.pem())?;
        write(issuer, "key.pem", self.issuer.key().serialize_pem())?;
        write(trust_roots, "ca-bundle.crt", self.root.pem())
    }
}

/// What a certificate of an authority says.
pub fn params(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}
