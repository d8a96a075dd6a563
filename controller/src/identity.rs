//! The identity certificate of a control-plane process itself.
//!
//! No proxy runs beside it: it asks the identity service for a certificate as a proxy does, serves its
//! gRPC port with it, and renews it in time. The identity service asks itself.

mod remote;

pub use self::remote::RemoteIdentity;

use crate::{
    args::{Maybe, OptionalPath},
    key_and_csr::{KeyAndCsr, KeyAndCsrError},
    readiness::{Pending, Readiness},
    tasks::Tasks,
    tls::{self, CurrentCertificate},
};
use clap::Args;
use linkerd_k8s::Identity;
use linkerd_proto::identity::{CertifyRequest, CertifyResponse};
use prometheus_client::metrics::gauge::Gauge;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::{
    convert::Infallible,
    future::Future,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

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

/// Gets a certificate for `identity` now and renews it for ever. Readiness waits for the first, and fails when
/// the last one has ended, since no proxy accepts it any more.
pub fn keep_certified(
    tasks: &Tasks,
    identity: String,
    token: PathBuf,
    certify: impl Certify,
) -> Result<CurrentCertificate, KeyAndCsrError> {
    let current = CurrentCertificate::default();
    let request = KeyAndCsr::generate(&identity)?;
    let expiry = tasks.metrics.register(|registry| {
        let expiry = Gauge::default();
        let help = "End of the identity certificate of this process, seconds since the epoch; 0 without one";
        registry.register("own_certificate_expiry_timestamp_seconds", help, expiry.clone());
        expiry
    });
    let mut keeper = Keeper {
        request,
        identity,
        token,
        current: current.clone(),
        readiness: tasks.readiness.clone(),
        pending: None,
        end: None,
        expiry,
    };
    keeper.assess();
    tasks.spawn("own certificate", async move {
        keeper.run(certify).await;
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
    readiness: Readiness,
    /// While there is no certificate that proxies accept.
    pending: Option<Pending>,
    /// When the certificate in force ends.
    end: Option<Instant>,
    expiry: Gauge,
}

impl Keeper {
    async fn run(mut self, certify: impl Certify) {
        let mut backoff = BACKOFF.0;
        loop {
            let wait = match self.certify(&certify).await {
                Ok(life) => {
                    tracing::info!(identity = self.identity, valid_for = ?life, "certified");
                    self.end = Some(Instant::now() + life);
                    backoff = BACKOFF.0;
                    life.mul_f64(RENEW_AFTER).max(LEAST_LIFE)
                }
                Err(error) => {
                    let is_first = self.end.is_none();
                    tracing::warn!(identity = self.identity, %error, is_first, retry_in = ?backoff, "not certified");
                    let wait = backoff;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    wait
                }
            };
            self.assess();
            tokio::time::sleep(wait).await;
        }
    }

    /// Sets readiness by the certificate in force.
    fn assess(&mut self) {
        let is_good = self.end.is_some_and(|end| Instant::now() < end);
        if is_good {
            self.pending = None;
        } else if self.pending.is_none() {
            self.pending = Some(self.readiness.hold(format!("certificate of {}", self.identity)));
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
        let until = answer.valid_until.map_or(0, |until| until.seconds);
        self.current.set(self.certified_key(answer)?);
        self.expiry.set(until);
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

#[cfg(test)]
mod tests;
