//! TLS certificates that are loaded from files and loaded again when the files change.

use crate::tasks::Tasks;
use arc_swap::ArcSwapOption;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How often the files are looked at. Notifications are lost now and then; looking is not.
const POLL: Duration = Duration::from_secs(2);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that is no PEM of what it should hold.
    #[error("{path} holds no {what} in PEM: {reason}")]
    Pem {
        /// The file.
        path: String,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A key that does not belong to the certificate, or of a kind that is not supported.
    #[error("the key {path} cannot be used with its certificate: {source}")]
    Key {
        /// The key's file.
        path: String,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// The only crypto provider of this workspace.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A client of servers that trust anchors in PEM vouch for, as proxies are: TLS 1.3, without a certificate.
///
/// # Errors
/// When the anchors are none, or cannot be used.
pub fn mesh_client(anchors: &[u8]) -> Result<ClientConfig, UnusableAnchors> {
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_slice_iter(anchors) {
        roots.add(anchor?)?;
    }
    if roots.is_empty() {
        return Err(UnusableAnchors::Empty);
    }
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Why nobody can be trusted for the sake of some trust anchors.
#[derive(Debug, thiserror::Error)]
pub enum UnusableAnchors {
    /// There is nothing in them.
    #[error("there is no certificate in it")]
    Empty,
    /// They are no PEM.
    #[error(transparent)]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// They are no certificates that can be trust anchors.
    #[error(transparent)]
    Certificate(#[from] rustls::Error),
}

/// A certificate and key in files.
#[derive(Clone, Debug)]
pub struct KeyPairFiles {
    /// Certificates in PEM, leaf first.
    pub certificate: PathBuf,
    /// Private key in PEM.
    pub key: PathBuf,
}

impl KeyPairFiles {
    /// The files of a mounted Secret of type `kubernetes.io/tls`.
    pub fn in_folder(folder: &Path) -> Self {
        Self { certificate: folder.join("tls.crt"), key: folder.join("tls.key") }
    }

    /// Loads the files.
    ///
    /// # Errors
    /// When a file is missing or no PEM, or the key does not fit.
    pub fn load(&self) -> Result<CertifiedKey, CertificateError> {
        let (certificates, key) = (read(&self.certificate)?, read(&self.key)?);
        certified_key(&certificates, &key, &self.certificate, &self.key)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|source| CertificateError::Read { path: path.display().to_string(), source })
}

fn certified_key(
    certificates: &[u8],
    key: &[u8],
    certificate_path: &Path,
    key_path: &Path,
) -> Result<CertifiedKey, CertificateError> {
    let pem =
        |path: &Path, what, reason: String| CertificateError::Pem { path: path.display().to_string(), what, reason };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|error| pem(certificate_path, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(pem(certificate_path, "certificate", "no CERTIFICATE block".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| pem(key_path, "private key", error.to_string()))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|source| CertificateError::Key { path: key_path.display().to_string(), source })
}

/// The certificate in force, which handshakes read and reloads replace.
#[derive(Clone, Debug, Default)]
pub struct CurrentCertificate(Arc<ArcSwapOption<CertifiedKey>>);

impl CurrentCertificate {
    /// Puts a certificate in force for new handshakes.
    pub fn set(&self, certificate: CertifiedKey) {
        self.0.store(Some(Arc::new(certificate)));
    }

    /// Puts a certificate and key in PEM in force for new handshakes.
    ///
    /// # Errors
    /// When they are no PEM, or the key does not fit.
    pub fn set_pem(&self, certificate: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.set(certified_key(certificate, key, Path::new("the certificate"), Path::new("the key"))?);
        Ok(())
    }

    /// Follows files: loads them now and whenever they change. Files that cannot be used leave the
    /// certificate in force; readiness waits for the first that can.
    pub fn follow(&self, tasks: &Tasks, files: KeyPairFiles) {
        let current = self.clone();
        let pending = tasks.readiness.hold(format!("certificate {}", files.certificate.display()));
        tasks.spawn("certificate reload", async move {
            current.reload(files, pending).await;
            Ok::<(), Infallible>(())
        });
    }

    async fn reload(self, files: KeyPairFiles, pending: crate::readiness::Pending) {
        let mut pending = Some(pending);
        let mut last: Option<(Vec<u8>, Vec<u8>)> = None;
        let mut last_error = String::new();
        loop {
            let loaded = self.load_changed(&files, &mut last);
            match loaded {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(certificate = %files.certificate.display(), "certificate loaded");
                    pending = None;
                    last_error.clear();
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != last_error {
                        let kept = if pending.is_some() { "waiting for it" } else { "keeping the one in force" };
                        tracing::warn!(error, "certificate cannot be loaded; {kept}");
                        last_error = error;
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn load_changed(
        &self,
        files: &KeyPairFiles,
        last: &mut Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<bool, CertificateError> {
        let content = (read(&files.certificate)?, read(&files.key)?);
        if last.as_ref() == Some(&content) {
            return Ok(false);
        }
        self.set(certified_key(&content.0, &content.1, &files.certificate, &files.key)?);
        *last = Some(content);
        Ok(true)
    }

    /// TLS 1.3 with this certificate, for any client.
    ///
    /// # Errors
    /// When the crypto provider lacks TLS 1.3, which it does not.
    pub fn server_config(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_change_is_loaded_and_a_bad_file_leaves_the_certificate_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyPairFiles::in_folder(folder.path());
        let (current, mut last) = (CurrentCertificate::default(), None);
        assert!(matches!(current.load_changed(&files, &mut last), Err(CertificateError::Read { .. })));
        write(folder.path(), "one");
        assert!(current.load_changed(&files, &mut last).unwrap());
        assert!(!current.load_changed(&files, &mut last).unwrap());
        let first = current.0.load_full().unwrap();
        std::fs::write(folder.path().join("tls.crt"), "no certificate").unwrap();
        assert!(matches!(current.load_changed(&files, &mut last), Err(CertificateError::Pem { .. })));
        assert!(Arc::ptr_eq(&first, &current.0.load_full().unwrap()));
        write(folder.path(), "two");
        assert!(current.load_changed(&files, &mut last).unwrap());
        assert_ne!(first.cert, current.0.load_full().unwrap().cert);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one");
        let other = rcgen::generate_simple_self_signed(["two".to_owned()]).unwrap();
        std::fs::write(folder.path().join("tls.key"), other.signing_key.serialize_pem()).unwrap();
        let loaded = KeyPairFiles::in_folder(folder.path()).load();
        assert!(matches!(loaded, Err(CertificateError::Key { .. })));
    }
}
