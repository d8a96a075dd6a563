//! Builders for tests: authorities, signing requests, a reviewer that records.

use crate::{
    clock::Clock,
    core::{
        authority::Authority,
        chain::TrustAnchors,
        issuer::Issuer,
        leaf::Lifetimes,
        token::{AUDIENCE, Review},
    },
    current::CurrentAuthority,
    metrics::Metrics,
    review_queue::AcceptedTokens,
    reviewer::{ReviewFailed, TokenReviewer},
    service::{Config, Request},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use linkerd_controller::tasks::Tasks;
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SanType, SignatureAlgorithm,
};
use std::{sync::Arc, time::Duration};
use x509_parser::time::ASN1Time;

/// The identity of account `foo` in namespace `ns1`.
pub const FOO: &str = "foo.ns1.serviceaccount.identity.linkerd.cluster.local";

/// The moment at which tests begin.
pub fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn lifetimes(hours: u64, skew: u64) -> Lifetimes {
    Lifetimes { lifetime: Duration::from_secs(hours * 3600), clock_skew: Duration::from_secs(skew) }
}

/// Describes a certificate of an authority.
pub struct Ca {
    params: CertificateParams,
    key: KeyPair,
}

pub type Made = CertifiedIssuer<'static, KeyPair>;

/// An authority with a P-256 key, valid from an hour before [`start`] for ten years.
pub fn ca(name: &str) -> Ca {
    ca_with(name, KeyPair::generate().unwrap())
}

pub fn ca_with(name: &str, key: KeyPair) -> Ca {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    Ca { params, key }.valid(start() - hours(1), start() + hours(87_600))
}

pub fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

pub fn key_of(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

impl Ca {
    pub fn valid(mut self, from: Timestamp, to: Timestamp) -> Self {
        let at = |time: Timestamp| ASN1Time::from_timestamp(time.as_second()).unwrap().to_datetime();
        (self.params.not_before, self.params.not_after) = (at(from), at(to));
        self
    }

    pub fn until(self, to: Timestamp) -> Self {
        self.valid(start() - hours(1), to)
    }

    pub fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }

    pub fn self_signed(self) -> Made {
        CertifiedIssuer::self_signed(self.params, self.key).unwrap()
    }

    pub fn signed_by(self, parent: &Made) -> Made {
        CertifiedIssuer::signed_by(self.params, self.key, parent).unwrap()
    }
}

/// Loads an issuer with further certificates of its file.
pub fn issuer(own: &Made, further: &[&Made]) -> Issuer {
    let file = further.iter().fold(own.pem(), |file, certificate| file + &certificate.pem());
    Issuer::from_pem(file.as_bytes(), own.key().serialize_pem().as_bytes()).unwrap()
}

pub fn anchors(of: &[&Made]) -> TrustAnchors {
    TrustAnchors::from_pem(of.iter().map(|anchor| anchor.pem()).collect::<String>().as_bytes()).unwrap()
}

/// An authority of one self-signed certificate, as a simple installation has it.
pub fn self_signed_authority() -> (Made, Authority) {
    let own = ca("identity.linkerd.cluster.local").self_signed();
    let authority = Authority::new(issuer(&own, &[]), anchors(&[&own]), FOO, start()).unwrap();
    (own, authority)
}

/// Describes a signing request.
pub struct CsrBuilder {
    key: KeyPair,
    params: CertificateParams,
}

/// A request as the agent makes it: subject and alternative name are the name.
pub fn csr(name: &str) -> CsrBuilder {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    CsrBuilder { key: KeyPair::generate().unwrap(), params }
}

impl CsrBuilder {
    pub fn key(mut self, key: KeyPair) -> Self {
        self.key = key;
        self
    }

    pub fn names(mut self, names: &[&str]) -> Self {
        self.params.subject_alt_names =
            names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
        self
    }

    pub fn also(mut self, name: SanType) -> Self {
        self.params.subject_alt_names.push(name);
        self
    }

    pub fn common_name(mut self, name: Option<&str>) -> Self {
        self.params.distinguished_name = DistinguishedName::new();
        if let Some(name) = name {
            self.params.distinguished_name.push(DnType::CommonName, name);
        }
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }

    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key_raw().to_vec()
    }

    pub fn der(self) -> Vec<u8> {
        self.params.serialize_request(&self.key).unwrap().der().to_vec()
    }
}

/// Purposes of a certificate that may do everything but serve.
pub fn only_client_auth(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// A clock that tests set.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(start())))
    }

    pub fn set(&self, time: Timestamp) {
        *self.0.lock() = time;
    }

    pub fn clock(&self) -> Clock {
        let hands = self.0.clone();
        Clock::new(move || *hands.lock())
    }
}

pub fn config(clock: Clock) -> Config {
    Config {
        control_plane_namespace: "linkerd".to_owned(),
        trust_domain: "cluster.local".to_owned(),
        lifetimes: lifetimes(24, 20),
        accepted_tokens: AcceptedTokens::AlsoDefault,
        clock,
    }
}

pub fn metrics(tasks: &Tasks, current: &CurrentAuthority, clock: Clock) -> Metrics {
    tasks.metrics.register(|registry| Metrics::register(registry, current.clone(), clock))
}

/// A request with everything in it.
pub fn request(identity: &str, csr: Vec<u8>) -> Request {
    Request { identity: identity.to_owned(), token: b"token".to_vec(), csr }
}

/// What a cluster says of the good token of an account.
pub fn good(username: &str) -> Review {
    Review {
        is_authenticated: true,
        error: String::new(),
        username: username.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
    }
}

/// What a cluster says of a token that it cannot check.
pub fn bad(error: &str) -> Review {
    Review { error: error.to_owned(), ..Review::default() }
}

/// A token, and the audiences that were asked about.
pub type Question = (String, Vec<String>);

/// A reviewer that gives prepared answers, the last one for ever, and records the questions.
#[derive(Clone)]
pub struct FakeReviewer {
    answers: Arc<Mutex<Vec<Result<Review, ReviewFailed>>>>,
    pub asked: Arc<Mutex<Vec<Question>>>,
}

impl FakeReviewer {
    pub fn new(answers: impl IntoIterator<Item = Result<Review, ReviewFailed>>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    pub fn foo() -> Self {
        Self::new([Ok(good("system:serviceaccount:ns1:foo"))])
    }

    /// The audiences of each question.
    pub fn audiences(&self) -> Vec<Vec<String>> {
        self.asked.lock().iter().map(|(_, audiences)| audiences.clone()).collect()
    }
}

impl TokenReviewer for FakeReviewer {
    fn review<'a>(&'a self, token: &'a str, audiences: &'a [&'a str]) -> BoxFuture<'a, Result<Review, ReviewFailed>> {
        self.asked.lock().push((token.to_owned(), audiences.iter().map(|of| (*of).to_owned()).collect()));
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }
}

/// A request to an API server: method, path and body.
pub type ApiCall = (String, String, serde_json::Value);

/// A client of an API server that gives one answer to everything, and what it was asked.
pub fn api_server(status: u16, answer: serde_json::Value) -> (kube::Client, Arc<Mutex<Vec<ApiCall>>>) {
    let calls: Arc<Mutex<Vec<ApiCall>>> = Arc::default();
    let recorded = calls.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (recorded, answer) = (recorded.clone(), answer.to_string());
        async move {
            let (head, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await?)?;
            recorded.lock().push((head.method.to_string(), head.uri.path().to_owned(), body));
            let response = http::Response::builder().status(status).body(kube::client::Body::from(answer.into_bytes()));
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(response?)
        }
    });
    (kube::Client::new(service, "default"), calls)
}
