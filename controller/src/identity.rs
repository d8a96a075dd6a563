//! The identity certificate of a control-plane process itself.
//!
//! No proxy runs beside it: it asks the identity service for a certificate as a proxy does, serves its
//! gRPC port with it, and renews it in time. The identity service asks itself.

use crate::{
    args::{Maybe, OptionalPath},
    key_and_csr::{KeyAndCsr, KeyAndCsrError},
    tasks::Tasks,
    tls::{self, CurrentCertificate},
};
use clap::Args;
use hyper_util::rt::TokioIo;
use linkerd_k8s::Identity;
use linkerd_proto::identity::{CertifyRequest, CertifyResponse, identity_client::IdentityClient};
use rustls::{ClientConfig, RootCertStore, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{
    convert::Infallible,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;

/// Longest time for one attempt.
const DEADLINE: Duration = Duration::from_secs(10);
/// Shortest and longest time between failed attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Share of a certificate's life after which it is renewed, as proxies do.
const RENEW_AFTER: f64 = 0.7;
/// Shortest time between two certificates.
const LEAST_LIFE: Duration = Duration::from_secs(10);

/// How a process gets its own certificate. Without an address it has none and serves plain text.
#[derive(Clone, Debug, Args)]
pub struct OwnIdentityArgs {
    /// Address of the identity service, HOST:PORT; empty to serve without TLS
    #[arg(long, default_value = "", value_name = "ADDRESS")]
    pub identity_svc_addr: String,
    /// Name of this process's service account
    #[arg(long, default_value = "", value_name = "NAME")]
    pub service_account: String,
    /// File with the service-account token for the identity service
    #[arg(long, default_value = "/var/run/secrets/tokens/linkerd-identity-token", value_name = "FILE")]
    pub identity_token: PathBuf,
    /// File with the trust anchors, in PEM
    #[arg(long, default_value = "", value_parser = crate::args::optional_path, value_name = "FILE")]
    pub identity_trust_anchors: OptionalPath,
}

/// Where mesh identities live.
#[derive(Clone, Debug)]
pub struct MeshNames<'a> {
    /// Namespace of the control plane.
    pub control_plane_namespace: &'a str,
    /// Trust domain.
    pub trust_domain: &'a str,
}

impl MeshNames<'_> {
    /// Identity of a service account of the control plane.
    pub fn of(&self, account: &str) -> String {
        Identity::service_account(
            account,
            self.control_plane_namespace,
            self.control_plane_namespace,
            self.trust_domain,
        )
        .into()
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Trust anchors that are none.
    #[error("the trust anchors in {path} cannot be used: {reason}")]
    Anchors {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The identity service cannot be reached, or is not the one that it should be.
    #[error("cannot reach the identity service: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// It refused.
    #[error("the identity service refused: {} ({:?})", .0.message(), .0.code())]
    Refused(#[from] tonic::Status),
    /// The answer is of no use.
    #[error("the identity service's answer cannot be used: {0}")]
    Answer(String),
    /// No answer in time.
    #[error("no answer within {DEADLINE:?}")]
    Timeout,
}

/// Asks for certificates: over the network, or of a service in this process.
pub trait Certify: Send + Sync + 'static {
    /// Asks once.
    fn certify(&self, request: CertifyRequest) -> impl Future<Output = Result<CertifyResponse, CertifyError>> + Send;
}

/// Gets a certificate for `identity` now and renews it for ever; readiness waits for the first.
pub fn keep_certified(
    tasks: &Tasks,
    identity: String,
    token: PathBuf,
    certify: impl Certify,
) -> Result<CurrentCertificate, KeyAndCsrError> {
    let current = CurrentCertificate::default();
    let keeper = Keeper { request: KeyAndCsr::generate(&identity)?, identity, token, current: current.clone() };
    let pending = tasks.readiness.hold(format!("certificate of {}", keeper.identity));
    tasks.spawn("own certificate", async move {
        keeper.run(certify, pending).await;
        Ok::<(), Infallible>(())
    });
    Ok(current)
}

struct Keeper {
    /// Kept for the life of the process.
    request: KeyAndCsr,
    identity: String,
    token: PathBuf,
    current: CurrentCertificate,
}

impl Keeper {
    async fn run(self, certify: impl Certify, pending: crate::readiness::Pending) {
        let (mut pending, mut backoff) = (Some(pending), BACKOFF.0);
        loop {
            let wait = match self.certify(&certify).await {
                Ok(life) => {
                    tracing::info!(identity = self.identity, valid_for = ?life, "certified");
                    pending = None;
                    backoff = BACKOFF.0;
                    life.mul_f64(RENEW_AFTER).max(LEAST_LIFE)
                }
                Err(error) => {
                    let is_first = pending.is_some();
                    tracing::warn!(identity = self.identity, %error, is_first, retry_in = ?backoff, "not certified");
                    let wait = backoff;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks once; returns how long the certificate is valid.
    async fn certify(&self, certify: &impl Certify) -> Result<Duration, CertifyError> {
        let request = CertifyRequest {
            identity: self.identity.clone(),
            token: read(&self.token)?,
            certificate_signing_request: self.request.csr.clone(),
        };
        let answer = tokio::time::timeout(DEADLINE, certify.certify(request)).await;
        let answer = answer.map_err(|_| CertifyError::Timeout)??;
        let life = life(&answer)?;
        self.current.set(self.certified_key(answer)?);
        Ok(life)
    }

    fn certified_key(&self, answer: CertifyResponse) -> Result<CertifiedKey, CertifyError> {
        let der = std::iter::once(answer.leaf_certificate).chain(answer.intermediate_certificates);
        let chain = der.map(CertificateDer::from).collect();
        let key = PrivateKeyDer::Pkcs8(self.request.key.clone().into());
        CertifiedKey::from_der(chain, key, &tls::provider()).map_err(|error| CertifyError::Answer(error.to_string()))
    }
}

fn life(answer: &CertifyResponse) -> Result<Duration, CertifyError> {
    let until = answer.valid_until.and_then(|until| u64::try_from(until.seconds).ok());
    let until = until.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let life = until.and_then(|until| until.duration_since(SystemTime::now()).ok());
    life.ok_or_else(|| CertifyError::Answer("the certificate has no end, or has expired".to_owned()))
}

/// Asks an identity service over TLS, whose name is checked against the trust anchors.
pub struct RemoteIdentity {
    /// HOST:PORT.
    pub address: String,
    /// Identity of the service.
    pub name: String,
    /// File with the trust anchors, read again for each attempt.
    pub anchors: PathBuf,
}

impl Certify for RemoteIdentity {
    async fn certify(&self, request: CertifyRequest) -> Result<CertifyResponse, CertifyError> {
        let connector = TlsConnector::from(Arc::new(client_config(&self.anchors)?));
        let name = ServerName::try_from(self.name.clone()).map_err(|error| CertifyError::Answer(error.to_string()))?;
        let address = self.address.clone();
        let connect = tower::service_fn(move |_: http::Uri| {
            let (connector, name, address) = (connector.clone(), name.clone(), address.clone());
            async move {
                let stream = connector.connect(name, TcpStream::connect(address).await?).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        let channel = endpoint.connect_with_connector(connect).await?;
        Ok(IdentityClient::new(channel).certify(request).await?.into_inner())
    }
}

fn client_config(anchors: &Path) -> Result<ClientConfig, CertifyError> {
    let unusable = |reason: String| CertifyError::Anchors { path: anchors.display().to_string(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(anchors)?) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<u8>, CertifyError> {
    std::fs::read(path).map_err(|source| CertifyError::Read { path: path.display().to_string(), source })
}

impl OwnIdentityArgs {
    /// The certificate that the gRPC port is served with; `None` when it is served without TLS.
    ///
    /// # Errors
    /// When the process's name cannot be an identity, or no key can be made.
    pub fn certificate(
        &self,
        names: &MeshNames<'_>,
        tasks: &Tasks,
    ) -> Result<Option<CurrentCertificate>, KeyAndCsrError> {
        let (false, Maybe(Some(anchors))) = (self.identity_svc_addr.is_empty(), &self.identity_trust_anchors) else {
            return Ok(None);
        };
        let remote = RemoteIdentity {
            address: self.identity_svc_addr.clone(),
            name: names.of("linkerd-identity"),
            anchors: anchors.clone(),
        };
        let identity = names.of(&self.service_account);
        keep_certified(tasks, identity, self.identity_token.clone(), remote).map(Some)
    }
}
