//! Issues certificates: from a request to a leaf certificate or the reason why not.

mod start;

pub use self::start::{EventSink, IssuerSource, start};

use crate::{
    clock::Clock,
    core::{
        authority::Authority,
        csr::{Checked, Csr, ShapeError},
        leaf::{Leaf, LeafRequest, Lifetimes},
        token::ServiceAccount,
    },
    current::CurrentAuthority,
    denied::{Denied, cut},
    events::{Events, Occurrence},
    issuer_watch::{Followed, IssuerWatch},
    metrics::Metrics,
    review_queue::{AcceptedTokens, Rejected, ReviewQueue},
    reviewer::TokenReviewer,
};
use aws_lc_rs::digest::{SHA256, digest};
use linkerd_controller::tasks::Tasks;
use linkerd_k8s::identity::Identity;
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// What a certificate authority is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Namespace of the control plane, an RFC 1123 label.
    pub control_plane_namespace: String,
    /// Trust domain, an RFC 1123 subdomain.
    pub trust_domain: String,
    /// How long certificates are valid.
    pub lifetimes: Lifetimes,
    /// Which tokens are good.
    pub accepted_tokens: AcceptedTokens,
    /// Where the time comes from.
    pub clock: Clock,
}

/// A request for a certificate.
#[derive(Clone, Debug)]
pub struct Request {
    /// Identity that is asked for.
    pub identity: String,
    /// Service-account token, as read from its file.
    pub token: Vec<u8>,
    /// Signing request, PKCS #10 in DER.
    pub csr: Vec<u8>,
}

/// A certificate that was issued.
pub struct Certified {
    /// The leaf certificate.
    pub leaf: Leaf,
    authority: Arc<Authority>,
}

impl Certified {
    /// The certificates that lead from the leaf to a trust anchor, the issuer's first.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        self.authority.issuer().chain()
    }
}

/// A certificate authority that runs. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    config: Config,
    current: CurrentAuthority,
    reviews: ReviewQueue,
    events: Events,
    metrics: Metrics,
}

impl Config {
    /// Identity of this service itself.
    pub fn own_identity(&self) -> String {
        let namespace = &self.control_plane_namespace;
        Identity::service_account("linkerd-identity", namespace, namespace, &self.trust_domain).into()
    }
}

impl Service {
    pub(crate) fn new(
        config: Config,
        current: CurrentAuthority,
        reviewer: Arc<dyn TokenReviewer>,
        events: Events,
        metrics: Metrics,
    ) -> Self {
        let reviews = ReviewQueue::new(reviewer, config.accepted_tokens, config.clock.clone(), metrics.clone());
        Self(Arc::new(Inner { config, current, reviews, events, metrics }))
    }

    /// What the service counts.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn watch(&self, followed: Option<Followed>, tasks: &Tasks) -> IssuerWatch {
        IssuerWatch {
            followed,
            current: self.0.current.clone(),
            lifetimes: self.0.config.lifetimes,
            clock: self.0.config.clock.clone(),
            events: self.0.events.clone(),
            metrics: self.0.metrics.clone(),
            readiness: tasks.readiness.clone(),
            unready: None,
            warned: None,
        }
    }

    /// Issues a certificate.
    ///
    /// # Errors
    /// The first reason not to.
    pub async fn certify(&self, request: Request) -> Result<Certified, Denied> {
        let certified = self.0.certify(&request).await;
        match &certified {
            Ok(certified) => self.0.metrics.issued(certified.leaf.is_short),
            Err(denied) => {
                tracing::info!(identity = shortened(&request.identity), reason = %denied, "certificate denied");
                self.0.metrics.denied(denied);
            }
        }
        certified
    }
}

impl Inner {
    /// The steps stand in the order in which a client with several faults hears of them.
    async fn certify(&self, request: &Request) -> Result<Certified, Denied> {
        let authority = self.current.get().ok_or(Denied::NotReady)?;
        let checked = self.check(&authority, request)?;
        let account = self.service_account(request).await?;
        let found = account.identity(&self.config.control_plane_namespace, &self.config.trust_domain);
        if found.as_str() != request.identity {
            return Err(Denied::Identity { requested: request.identity.clone(), found: found.into() });
        }
        let public_key = checked.public_key?;
        // Time has passed since the first look: the token may have waited for its turn.
        let now = self.config.clock.now();
        authority.verify(now)?;
        let leaf =
            LeafRequest { name: found.as_str(), has_common_name: checked.has_common_name, public_key: &public_key };
        let leaf = authority.issuer().issue(leaf, self.config.lifetimes, now)?;
        self.tell(account, found, &leaf);
        Ok(Certified { leaf, authority })
    }

    /// What can be checked without asking anyone.
    fn check(&self, authority: &Authority, request: &Request) -> Result<Checked, Denied> {
        if request.identity.is_empty() {
            return Err(Denied::MissingIdentity);
        }
        if request.token.is_empty() {
            return Err(Denied::MissingToken);
        }
        if request.csr.is_empty() {
            return Err(Denied::MissingCsr);
        }
        let csr = Csr::parse(&request.csr)?;
        if let Err(error) = authority.verify(self.config.clock.now()) {
            let identity = shortened(&request.identity).to_owned();
            self.events.emit(Occurrence::IssuerValidationFailed { error: error.to_string(), identity });
            return Err(error.into());
        }
        csr.check(&request.identity).map_err(|error: ShapeError| error.into())
    }

    async fn service_account(&self, request: &Request) -> Result<ServiceAccount, Denied> {
        self.reviews.service_account(&request.token).await.map_err(|rejected| match rejected {
            Rejected::Failed(source) => Denied::Review { identity: request.identity.clone(), source },
            Rejected::Busy => Denied::Busy,
            Rejected::Token(error) => error.into(),
        })
    }

    fn tell(&self, account: ServiceAccount, identity: Identity, leaf: &Leaf) {
        let not_after = leaf.validity.not_after;
        tracing::debug!(%identity, %not_after, "certificate issued");
        if self.events.are_wanted_on_issuance() {
            let fingerprint = hexadecimal(digest(&SHA256, &leaf.der).as_ref());
            let identity = identity.into();
            self.events.emit(Occurrence::IssuedLeafCertificate { account, identity, not_after, fingerprint });
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name that a client made up, for logs.
fn shortened(identity: &str) -> &str {
    cut(identity, 255)
}

#[cfg(test)]
mod tests;
