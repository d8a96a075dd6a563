//! Key, certificate request, and what makes an issued certificate acceptable.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use linkerd_proto::identity::CertifyResponse;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// A key and the certificate request for it, the same for the life of a proxy.
pub struct KeyAndRequest {
    key: Vec<u8>,
    request: Vec<u8>,
}

impl KeyAndRequest {
    /// A new key of the kind that proxies have, and a request with `name` as its only name.
    pub fn generate(name: &str) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let request = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { key: key.serialize_der(), request })
    }

    /// What the program before the proxy wrote to a folder.
    ///
    /// # Errors
    /// When a file cannot be read or is empty; a bad key shows only with the first certificate.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<Vec<u8>> {
            let path = folder.join(name);
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(!bytes.is_empty(), "{} is empty", path.display());
            Ok(bytes)
        };
        Ok(Self { key: read("key.p8")?, request: read("csr.der")? })
    }

    /// The request, in DER.
    pub fn request(&self) -> Vec<u8> {
        self.request.clone()
    }

    /// Judges an answer as the proxy does.
    ///
    /// # Errors
    /// Why a proxy would not take the certificate.
    pub fn accept(
        &self,
        answer: &CertifyResponse,
        name: &str,
        anchors: &[CertificateDer<'static>],
        now: SystemTime,
    ) -> Result<Accepted> {
        let until = valid_until(answer).filter(|until| *until > now);
        let until = until.ok_or_else(|| anyhow!("valid_until {:?} is not in the future", answer.valid_until))?;
        let leaf = CertificateDer::from(answer.leaf_certificate.clone());
        let intermediates: Vec<_> =
            answer.intermediate_certificates.iter().cloned().map(CertificateDer::from).collect();
        verify(&leaf, &intermediates, name, anchors, now)?;
        let chain = std::iter::once(leaf).chain(intermediates).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let certified = CertifiedKey::from_der(chain, key, &provider()).context("the leaf is not for the key")?;
        Ok(Accepted { until, certified: Arc::new(certified) })
    }
}

/// A certificate that a proxy takes.
pub struct Accepted {
    /// When it ends.
    pub until: SystemTime,
    /// Chain and key.
    pub certified: Arc<CertifiedKey>,
}

fn valid_until(answer: &CertifyResponse) -> Option<SystemTime> {
    let until = answer.valid_until.as_ref()?;
    let (seconds, nanos) = (u64::try_from(until.seconds).ok()?, u32::try_from(until.nanos).ok()?);
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

/// Verifies that the chain leads to an anchor, for both sides of a connection, and names `name`.
fn verify(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &str,
    anchors: &[CertificateDer<'static>],
    now: SystemTime,
) -> Result<()> {
    let anchors: Vec<_> = anchors.iter().filter_map(|anchor| anchor_from_trusted_cert(anchor).ok()).collect();
    let end = EndEntityCert::try_from(leaf).context("the leaf is no certificate")?;
    let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH)?);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    for (side, usage) in [("server", KeyUsage::server_auth()), ("client", KeyUsage::client_auth())] {
        end.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None)
            .with_context(|| format!("the chain of a {side} does not lead to a trust anchor"))?;
    }
    let names: Vec<_> = end.valid_dns_names().collect();
    ensure!(names == [name], "the leaf names {names:?}, wanted {name:?} only");
    end.verify_is_valid_for_subject_name(&ServerName::try_from(name)?).context("the leaf has another name")
}

/// The certificate that new connections present, once there is one.
#[derive(Clone, Debug, Default)]
pub struct Current(Arc<RwLock<Option<Arc<CertifiedKey>>>>);

impl Current {
    /// Puts a certificate in force.
    pub fn set(&self, certified: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(certified);
    }

    fn get(&self) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl ResolvesClientCert for Current {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.get()
    }

    fn has_certs(&self) -> bool {
        self.get().is_some()
    }
}

/// TLS as the proxy speaks it to the control plane: 1.3, no ALPN, no resumption.
pub fn client_config(anchors: &[CertificateDer<'static>], current: &Current) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for anchor in anchors {
        roots.add(anchor.clone())?;
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(current.clone()));
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
