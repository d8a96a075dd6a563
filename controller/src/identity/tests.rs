use super::*;
use linkerd_proto::Timestamp;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;

const NAME: &str = "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local";

/// What an identity service answers.
#[derive(Clone, Copy)]
enum Answer {
    /// A certificate for so many seconds.
    For(i64),
    /// A certificate that says nothing of its end.
    Endless,
    /// A certificate for another key.
    Foreign,
    /// A refusal.
    Refused,
    /// None, ever.
    Silence,
}

/// An identity service that gives prepared answers, the last one for ever, and notes when it was asked.
#[derive(Clone)]
struct Service {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
    answers: Arc<Mutex<Vec<Answer>>>,
    asked: Arc<Mutex<Vec<(Instant, CertifyRequest)>>>,
}

impl Service {
    fn new(answers: &[Answer]) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer: Arc::new(issuer), answers: Arc::new(Mutex::new(answers.to_vec())), asked: Arc::default() }
    }

    fn response(&self, csr: Vec<u8>, seconds: Option<i64>) -> CertifyResponse {
        let request = CertificateSigningRequestParams::from_der(&csr.into()).unwrap();
        let leaf = request.signed_by(&*self.issuer).unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        CertifyResponse {
            leaf_certificate: leaf.der().to_vec(),
            intermediate_certificates: vec![self.issuer.der().to_vec()],
            valid_until: seconds.map(|seconds| Timestamp { seconds: now + seconds, nanos: 0 }),
        }
    }

    /// Seconds between the requests so far.
    fn pauses(&self) -> Vec<u64> {
        let asked = self.asked.lock();
        asked.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0).as_secs_f64().round() as u64).collect()
    }
}

impl Certify for Service {
    async fn certify(&self, request: CertifyRequest) -> Result<CertifyResponse, CertifyError> {
        self.asked.lock().push((Instant::now(), request.clone()));
        let answer = {
            let mut answers = self.answers.lock();
            if answers.len() > 1 { answers.remove(0) } else { answers[0] }
        };
        let csr = request.certificate_signing_request;
        match answer {
            Answer::For(seconds) => Ok(self.response(csr, Some(seconds))),
            Answer::Endless => Ok(self.response(csr, None)),
            Answer::Foreign => Ok(self.response(KeyAndCsr::generate(NAME).unwrap().csr, Some(100))),
            Answer::Refused => Err(tonic::Status::unavailable("no issuer").into()),
            Answer::Silence => std::future::pending().await,
        }
    }
}

struct Fixture {
    service: Service,
    tasks: Tasks,
    current: CurrentCertificate,
    folder: tempfile::TempDir,
}

fn start(answers: &[Answer]) -> Fixture {
    let (service, (tasks, _)) = (Service::new(answers), Tasks::new());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "first token").unwrap();
    let current = keep_certified(&tasks, NAME.to_owned(), folder.path().join("token"), service.clone()).unwrap();
    Fixture { service, tasks, current, folder }
}

impl Fixture {
    async fn asked(&self, times: usize) {
        while self.service.asked.lock().len() < times {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn is_ready(&self) -> bool {
        self.tasks.readiness.pending().is_empty()
    }

    fn is_certified(&self) -> bool {
        !format!("{:?}", self.current).contains("(None)")
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_after_seven_tenths_of_its_life_with_the_token_of_the_day() {
    let fixture = start(&[Answer::For(100)]);
    assert_eq!(fixture.tasks.readiness.pending(), [format!("certificate of {NAME}")]);
    fixture.asked(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(fixture.is_ready() && fixture.is_certified());
    std::fs::write(fixture.folder.path().join("token"), "second token").unwrap();
    fixture.asked(3).await;
    assert!(fixture.service.pauses().iter().all(|pause| (69..=70).contains(pause)), "{:?}", fixture.service.pauses());
    let asked = fixture.service.asked.lock();
    let tokens: Vec<_> = asked.iter().map(|(_, request)| request.token.clone()).collect();
    assert_eq!(tokens, [b"first token".to_vec(), b"second token".to_vec(), b"second token".to_vec()]);
    assert!(
        asked.iter().all(|(_, request)| request.certificate_signing_request == asked[0].1.certificate_signing_request)
    );
    assert!(!fixture.tasks.metrics.encode().contains("own_certificate_expiry_timestamp_seconds 0\n"));
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_seconds_is_not_renewed_all_the_time() {
    let fixture = start(&[Answer::For(5)]);
    fixture.asked(3).await;
    assert_eq!(fixture.service.pauses(), [10, 10]);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_or_not_answered_asks_again_less_and_less_often() {
    let refusals = [Answer::Silence, Answer::Refused, Answer::Endless, Answer::Foreign, Answer::For(-5)];
    let fixture = start(&[&refusals[..], &[Answer::Refused, Answer::For(100)]].concat());
    fixture.asked(7).await;
    // Silence ends after ten seconds; the pauses double from half a second to ten.
    assert_eq!(fixture.service.pauses(), [11, 1, 2, 4, 8, 10]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(fixture.is_ready());
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_of_no_use_leave_the_process_without_a_certificate() {
    for answer in [Answer::Endless, Answer::Foreign, Answer::For(-5)] {
        let fixture = start(&[answer]);
        fixture.asked(3).await;
        assert!(!fixture.is_ready() && !fixture.is_certified());
        assert!(fixture.tasks.metrics.encode().contains("own_certificate_expiry_timestamp_seconds 0\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_has_ended_fails_readiness_until_there_is_another_one() {
    let fixture = start(&[Answer::For(100), Answer::Refused]);
    fixture.asked(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(fixture.is_ready(), "the one in force is good for a while");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(fixture.tasks.readiness.pending(), [format!("certificate of {NAME}")]);
    *fixture.service.answers.lock() = vec![Answer::For(100)];
    fixture.tasks.readiness.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_read_is_waited_for() {
    let (service, (tasks, _)) = (Service::new(&[Answer::For(100)]), Tasks::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    keep_certified(&tasks, NAME.to_owned(), path.clone(), service).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(!tasks.readiness.pending().is_empty());
    std::fs::write(path, "token").unwrap();
    tasks.readiness.wait().await;
}
