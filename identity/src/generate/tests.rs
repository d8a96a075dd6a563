use super::*;
use crate::testing::{FOO, seconds, start};
use x509_parser::{certificate::X509Certificate, pem::parse_x509_pem};

fn made() -> Credentials {
    Credentials::generate("linkerd", "cluster.local", start()).unwrap()
}

#[test]
fn new_credentials_are_an_authority_for_a_year() {
    let authority = made().authority(FOO, start()).unwrap();
    let year = seconds(365 * 24 * 3600);
    assert_eq!(authority.issuer().validity().not_before, start() - seconds(10));
    assert_eq!(authority.issuer().validity().not_after, start() + year + seconds(10));
    assert!(authority.verify(start() + year).is_ok());
    assert!(authority.verify(start() + year + seconds(11)).is_err());
    assert_eq!(authority.anchors().iter().next().unwrap().subject, "CN=root.linkerd.cluster.local");
}

#[test]
fn the_issuer_signs_leaves_only_and_the_root_lasts_ten_years() {
    let made = made();
    let (_, pem) = parse_x509_pem(made.issuer.as_bytes()).unwrap();
    let issuer: X509Certificate<'_> = pem.parse_x509().unwrap();
    assert_eq!(issuer.subject().to_string(), "CN=identity.linkerd.cluster.local");
    assert_eq!(issuer.basic_constraints().unwrap().unwrap().value.path_len_constraint, Some(0));
    let usage = issuer.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    let (_, pem) = parse_x509_pem(made.trust_anchor.as_bytes()).unwrap();
    let root = pem.parse_x509().unwrap();
    assert_eq!(root.validity().not_after.timestamp() - start().as_second(), 3650 * 24 * 3600 + 10);
    assert!(rcgen::KeyPair::from_pem(&made.trust_anchor_key).is_ok());
}
