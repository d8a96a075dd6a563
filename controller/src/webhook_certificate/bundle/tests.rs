use super::*;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
};
use rustls_pki_types::{ServerName, UnixTime};
use std::sync::Arc;

const NAME: &str = "linkerd-proxy-injector.linkerd.svc";

fn now() -> Timestamp {
    Timestamp::now()
}

fn after(days: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + days * 24 * 60 * 60).unwrap()
}

/// Whether a caller that has these authorities accepts the certificate at a time.
fn is_accepted(authorities: &[u8], bundle: &Bundle, at: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        roots.add(authority.unwrap()).unwrap();
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::tls::provider()).build().unwrap();
    let leaf = CertificateDer::from_pem_slice(&bundle.certificate).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second() as u64));
    verifier.verify_server_cert(&leaf, &[], &ServerName::try_from(NAME).unwrap(), &[], time).is_ok()
}

#[test]
fn a_certificate_is_good_for_its_name_until_two_thirds_of_its_life() {
    let bundle = Bundle::issue(NAME, None, now()).unwrap();
    assert!(is_accepted(&bundle.authorities, &bundle, now()));
    assert!(bundle.is_good(NAME, now()) && bundle.is_good(NAME, after(55)));
    assert!(!bundle.is_good(NAME, after(65)));
    assert!(is_accepted(&bundle.authorities, &bundle, after(85)), "it is renewed long before it ends");
    assert!(!bundle.is_good("other.linkerd.svc", now()));
}

#[test]
fn callers_with_either_authority_accept_either_certificate_while_one_is_replaced() {
    let first = Bundle::issue(NAME, None, now()).unwrap();
    let second = Bundle::issue(NAME, Some(&first), now()).unwrap();
    // A replica still serves the first one after the configuration was patched.
    assert!(is_accepted(&second.authorities, &first, now()) && is_accepted(&second.authorities, &second, now()));
    let third = Bundle::issue(NAME, Some(&second), now()).unwrap();
    assert!(is_accepted(&third.authorities, &second, now()));
    assert!(!is_accepted(&third.authorities, &first, now()), "authorities do not pile up");
}

#[test]
fn what_a_secret_holds_is_read_as_it_was_written() {
    let bundle = Bundle::issue(NAME, None, now()).unwrap();
    let secret = Secret { data: Some(bundle.data()), ..Secret::default() };
    let read = Bundle::read(&secret).unwrap();
    assert_eq!((read.certificate, read.key, read.authorities), (bundle.certificate, bundle.key, bundle.authorities));
    assert!(Bundle::read(&Secret::default()).is_none());
}

#[test]
fn a_bundle_that_somebody_damaged_is_not_good() {
    let (good, other) = (Bundle::issue(NAME, None, now()).unwrap(), Bundle::issue(NAME, None, now()).unwrap());
    for (what, damaged) in [
        ("another key", Bundle { key: other.key.clone(), ..good.clone() }),
        ("no key", Bundle { key: b"no PEM".to_vec(), ..good.clone() }),
        ("another authority", Bundle { authorities: other.authorities, ..good.clone() }),
        ("no authority", Bundle { authorities: Vec::new(), ..good.clone() }),
        ("no certificate", Bundle { certificate: good.key.clone(), ..good.clone() }),
    ] {
        assert!(!damaged.is_good(NAME, now()), "{what}");
    }
    assert!(good.is_good(NAME, now()));
}

#[test]
fn a_bundle_trusts_what_its_authorities_signed() {
    let first = Bundle::issue(NAME, None, now()).unwrap();
    let second = Bundle::issue(NAME, Some(&first), now()).unwrap();
    let third = Bundle::issue(NAME, Some(&second), now()).unwrap();
    assert!(second.trusts(&second) && second.trusts(&first) && !second.trusts(&third) && !third.trusts(&first));
}
