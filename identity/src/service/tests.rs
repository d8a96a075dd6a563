use super::*;
use crate::{
    core::chain::TrustAnchors,
    reviewer::ReviewFailed,
    testing::{
        FOO, FakeReviewer, Hands, bad, ca, config, csr, good, hours, issuer, key_of, metrics, request, rsa_key,
        seconds, self_signed_authority, start as beginning,
    },
};
use linkerd_controller::events;
use rcgen::PKCS_ED25519;
use std::collections::HashSet;
use tokio::sync::mpsc;
use tonic::Code;

struct Fixture {
    service: Service,
    reviewer: FakeReviewer,
    events: mpsc::Receiver<events::Event>,
    hands: Hands,
    tasks: Tasks,
}

fn fixture(authority: Option<Authority>, reviewer: FakeReviewer) -> Fixture {
    let (hands, (tasks, _)) = (Hands::new(), Tasks::new());
    let current = CurrentAuthority::default();
    authority.into_iter().for_each(|authority| current.set(authority));
    let metrics = metrics(&tasks, &current, hands.clock());
    let (events, receiver) = events::Events::queued(metrics.lost_events.clone());
    let events = Events::new(events, "linkerd", true);
    let service = Service::new(config(hands.clock()), current, Arc::new(reviewer.clone()), events, metrics);
    Fixture { service, reviewer, events: receiver, hands, tasks }
}

fn with_reviews(reviewer: FakeReviewer) -> Fixture {
    fixture(Some(self_signed_authority().1), reviewer)
}

impl Fixture {
    async fn refusal(&self, request: Request) -> (Code, String) {
        let denied = self.service.certify(request).await.err().unwrap();
        (denied.code(), denied.to_string())
    }

    async fn refusal_of_foo(&self) -> (Code, String) {
        self.refusal(request(FOO, csr(FOO).der())).await
    }

    fn reviews(&self) -> usize {
        self.reviewer.asked.lock().len()
    }
}

// Cases 1, 6 and 37.
#[tokio::test]
async fn a_workload_gets_the_certificate_of_its_account() {
    let (own, authority) = self_signed_authority();
    let mut fixture = fixture(Some(authority), FakeReviewer::foo());
    let certified = fixture.service.certify(request(FOO, csr(FOO).der())).await.unwrap();
    assert_eq!(certified.intermediates(), [own.der().clone()]);
    assert_eq!(certified.leaf.validity.not_after, beginning() + hours(24) + seconds(20));
    let expected = Occurrence::IssuedLeafCertificate {
        account: ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() },
        identity: FOO.to_owned(),
        not_after: certified.leaf.validity.not_after,
        fingerprint: hexadecimal(digest(&SHA256, &certified.leaf.der).as_ref()),
    };
    assert_eq!(fixture.events.try_recv().unwrap(), expected.event("linkerd"));
    assert!(fixture.events.try_recv().is_err());
    let metrics = fixture.tasks.metrics.encode();
    assert!(metrics.contains("identity_certificates_issued_total 1\n"), "{metrics}");
}

// Case 9.
#[tokio::test]
async fn before_the_issuer_is_loaded_nothing_else_is_looked_at() {
    let fixture = fixture(None, FakeReviewer::foo());
    let expected = (Code::Unavailable, "cert issuer not ready yet".to_owned());
    assert_eq!(fixture.refusal_of_foo().await, expected);
    let empty = Request { identity: String::new(), token: vec![], csr: vec![] };
    assert_eq!(fixture.refusal(empty).await, expected);
}

// Case 10.
#[tokio::test]
async fn missing_fields_are_named_in_order() {
    let fixture = with_reviews(FakeReviewer::foo());
    for (identity, token, csr, missing) in [
        ("", "", "", "missing identity"),
        ("", "t", "c", "missing identity"),
        (FOO, "", "", "missing token"),
        (FOO, "t", "", "missing certificate signing request"),
    ] {
        let request = Request { identity: identity.to_owned(), token: token.into(), csr: csr.into() };
        assert_eq!(fixture.refusal(request).await, (Code::InvalidArgument, missing.to_owned()));
    }
}

// Cases 11 to 16.
#[tokio::test]
async fn a_signing_request_of_the_wrong_shape_never_causes_a_review() {
    let fixture = with_reviews(FakeReviewer::foo());
    let (code, _) = fixture.refusal(request(FOO, b"fake-data".to_vec())).await;
    assert_eq!(code, Code::InvalidArgument);
    for csr in [csr(FOO).names(&[]), csr("bar.example"), csr(FOO).common_name(Some("bar"))] {
        assert_eq!(fixture.refusal(request(FOO, csr.der())).await.0, Code::FailedPrecondition);
    }
    assert_eq!(fixture.reviews(), 0);
}

// Cases 17 and 44.
#[tokio::test]
async fn an_unfit_key_is_reported_after_the_token() {
    for key in [rsa_key, || key_of(&PKCS_ED25519)] {
        let fixture = with_reviews(FakeReviewer::new([Ok(bad("boom")), Ok(good("system:serviceaccount:ns1:foo"))]));
        let with_key = || request(FOO, csr(FOO).key(key()).der());
        assert_eq!(fixture.refusal(with_key()).await, (Code::InvalidArgument, "boom".to_owned()));
        let (code, message) = fixture.refusal(with_key()).await;
        assert_eq!(code, Code::FailedPrecondition);
        assert!(message.starts_with("CSR must contain an ECDSA public key"), "{message}");
    }
    let fixture = with_reviews(FakeReviewer::new([Ok(bad("boom"))]));
    let (_, message) = fixture.refusal(request(FOO, csr(FOO).names(&[]).der())).await;
    assert_eq!(message, "CSR must have exactly one DNSName");
}

// Case 18.
#[tokio::test]
async fn a_failed_review_is_an_internal_error() {
    let fixture = with_reviews(FakeReviewer::new([Err(ReviewFailed("connection refused".to_owned()))]));
    let expected = format!("error validating token for {FOO}: connection refused");
    assert_eq!(fixture.refusal_of_foo().await, (Code::Internal, expected));
}

// Cases 20 to 23.
#[tokio::test]
async fn bad_tokens_have_their_statuses() {
    for (review, code, message) in [
        (bad("boom"), Code::InvalidArgument, "boom"),
        (bad(""), Code::FailedPrecondition, "authentication token could not be authenticated"),
        (good("alice"), Code::InvalidArgument, "Username must be in form system:TYPE:NS:SA: alice"),
        (good("system:serviceaccount:ns1:my.sa"), Code::InvalidArgument, "Not a label: my.sa"),
    ] {
        let fixture = with_reviews(FakeReviewer::new([Ok(review)]));
        assert_eq!(fixture.refusal_of_foo().await, (code, message.to_owned()));
        assert_eq!(fixture.reviews(), 1);
    }
}

// Case 24.
#[tokio::test]
async fn a_token_is_good_for_its_own_identity_only() {
    let fixture = with_reviews(FakeReviewer::new([Ok(good("system:serviceaccount:ns1:bar"))]));
    let bar = FOO.replace("foo", "bar");
    let expected = format!("requested identity did not match provided token: requested={FOO}; found={bar}");
    assert_eq!(fixture.refusal_of_foo().await, (Code::FailedPrecondition, expected));
}

// Cases 26 and 47.
#[tokio::test]
async fn an_expired_issuer_is_reported_before_anything_about_the_request() {
    let own = ca("own").until(beginning() + hours(1)).self_signed();
    let anchors = TrustAnchors::from_pem(own.pem().as_bytes()).unwrap();
    let authority = Authority::new(issuer(&own, &[]), anchors, FOO, beginning()).unwrap();
    let mut fixture = fixture(Some(authority), FakeReviewer::new([Ok(bad("boom"))]));
    fixture.hands.set(beginning() + hours(2));
    for csr in [csr(FOO), csr(FOO).names(&[])] {
        let (code, message) = fixture.refusal(request(FOO, csr.der())).await;
        assert_eq!(code, Code::Unavailable);
        assert!(message.contains("not valid anymore. Expired on 2026-03-01T13:00:00Z"), "{message}");
        let expected = Occurrence::IssuerValidationFailed { error: message, identity: FOO.to_owned() };
        assert_eq!(fixture.events.try_recv().unwrap(), expected.event("linkerd"));
    }
    let (code, _) = fixture.refusal(request(FOO, b"fake-data".to_vec())).await;
    assert_eq!(code, Code::InvalidArgument);
    assert_eq!(fixture.reviews(), 0);
    assert!(fixture.tasks.metrics.encode().contains("issuer_cert_ttl_seconds -3600.0\n"));
}

#[tokio::test]
async fn an_issuer_that_expires_during_the_review_issues_nothing() {
    let own = ca("own").until(beginning() + hours(1)).self_signed();
    let anchors = TrustAnchors::from_pem(own.pem().as_bytes()).unwrap();
    let authority = Authority::new(issuer(&own, &[]), anchors, FOO, beginning()).unwrap();
    let fixture = fixture(Some(authority), FakeReviewer::foo());
    let certify = tokio::spawn({
        let service = fixture.service.clone();
        async move { service.certify(request(FOO, csr(FOO).der())).await.err().unwrap().code() }
    });
    // The reviewer yields once, which is when the clock is moved.
    while fixture.reviews() == 0 {
        tokio::task::yield_now().await;
    }
    fixture.hands.set(beginning() + hours(2));
    assert_eq!(certify.await.unwrap(), Code::Unavailable);
}

#[tokio::test]
async fn a_request_keeps_its_issuer_while_another_is_put_in_force() {
    let (first, authority) = self_signed_authority();
    let fixture = fixture(Some(authority), FakeReviewer::foo());
    let certify = tokio::spawn({
        let service = fixture.service.clone();
        async move { service.certify(request(FOO, csr(FOO).der())).await.unwrap().intermediates().to_vec() }
    });
    while fixture.reviews() == 0 {
        tokio::task::yield_now().await;
    }
    let (second, authority) = self_signed_authority();
    fixture.service.0.current.set(authority);
    assert_eq!(certify.await.unwrap(), [first.der().clone()]);
    let next = fixture.service.certify(request(FOO, csr(FOO).der())).await.unwrap();
    assert_eq!(next.intermediates(), [second.der().clone()]);
}

// Case 38.
#[tokio::test]
async fn concurrent_calls_and_replicas_give_distinct_serials() {
    let (own, authority) = self_signed_authority();
    let anchors = TrustAnchors::from_pem(own.pem().as_bytes()).unwrap();
    let replica = Authority::new(issuer(&own, &[]), anchors, FOO, beginning()).unwrap();
    let fixtures = [authority, replica].map(|authority| fixture(Some(authority), FakeReviewer::foo()));
    let calls = fixtures.iter().flat_map(|fixture| [&fixture.service; 2]);
    let calls = calls.map(|service| service.certify(request(FOO, csr(FOO).der())));
    let serials: HashSet<Vec<u8>> = futures::future::join_all(calls)
        .await
        .into_iter()
        .map(|certified| {
            let der = certified.unwrap().leaf.der;
            x509_parser::parse_x509_certificate(&der).unwrap().1.raw_serial().to_vec()
        })
        .collect();
    assert_eq!(serials.len(), 4);
}

#[tokio::test]
async fn what_a_client_made_up_is_cut_in_messages() {
    let fixture = with_reviews(FakeReviewer::foo());
    let long = "ä".repeat(100_000);
    let denied = fixture.service.certify(request(&long, csr(FOO).der())).await.err().unwrap();
    let status = tonic::Status::from(denied);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().len() < 1100);
}
