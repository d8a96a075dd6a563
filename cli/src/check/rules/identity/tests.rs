use super::*;
use crate::check::rules::builder::text;
use k8s_openapi::ByteString;
use linkerd_identity::generate;
use rcgen::{CertificateParams, KeyPair};

const DOMAIN: &str = "cluster.local";
const NAME: &str = "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local";
const DAY: i64 = 24 * 60 * 60;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn after(days: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + days * DAY).unwrap()
}

/// A root for ten years and an issuer for one, made now.
fn made() -> generate::Credentials {
    generate::Credentials::generate("linkerd", DOMAIN, now()).unwrap()
}

fn secret<const N: usize>(parts: [(&str, &str); N]) -> Secret {
    let data = parts.map(|(key, part)| (key.to_owned(), ByteString(part.as_bytes().to_vec())));
    Secret { data: Some(data.into()), ..Secret::default() }
}

fn read(made: &generate::Credentials, bundle: &str) -> Credentials {
    let secret = secret([("crt.pem", &made.issuer), ("key.pem", &made.issuer_key)]);
    Credentials::read("linkerd.io/tls", &secret, bundle).unwrap_or_else(|finding| panic!("{finding:?}"))
}

#[test]
fn new_credentials_are_good() {
    let made = made();
    let credentials = read(&made, &made.trust_anchor);
    assert!(credentials.issuer.is_ok());
    assert_eq!(have_supported_algorithms(&credentials), Ok(()));
    assert_eq!(are_in_time(&credentials, now()), Ok(()));
    assert_eq!(do_last(&credentials, now()), Ok(()));
    assert_eq!(is_trusted(&credentials, NAME, now()), Ok(()));
}

// Acceptance case 44 of installation.
#[test]
fn the_secret_has_the_keys_of_its_scheme() {
    let made = made();
    let (internal, external) = ("linkerd.io/tls", "kubernetes.io/tls");
    let of_tls = secret([("tls.crt", &made.issuer), ("tls.key", &made.issuer_key)]);
    assert!(Credentials::read(external, &of_tls, &made.trust_anchor).is_ok());
    let expected = "key crt.pem containing the issuer certificate needs to exist in secret linkerd-identity-issuer if \
                    --identity-external-issuer=false";
    assert_eq!(text(Credentials::read(internal, &of_tls, &made.trust_anchor)), expected);
    let keyless = secret([("tls.crt", &made.issuer)]);
    let expected = "key tls.key containing the issuer key needs to exist in secret linkerd-identity-issuer if \
                    --identity-external-issuer=true";
    assert_eq!(text(Credentials::read(external, &keyless, &made.trust_anchor)), expected);
}

#[test]
fn trust_anchors_can_be_read() {
    let made = made();
    let secret = secret([("crt.pem", &made.issuer), ("key.pem", &made.issuer_key)]);
    assert!(text(Credentials::read("linkerd.io/tls", &secret, "")).contains("No certificates found"));
}

#[test]
fn a_key_of_another_certificate_is_found() {
    let (one, other) = (made(), made());
    let mixed = generate::Credentials { issuer_key: other.issuer_key, ..one.clone() };
    assert!(matches!(read(&mixed, &one.trust_anchor).issuer, Err(IssuerError::Mismatch)));
}

#[test]
fn anchors_outside_of_their_validity_are_listed_with_serial_and_name() {
    let made = made();
    let credentials = read(&made, &made.trust_anchor);
    let expired = text(are_in_time(&credentials, after(4000)));
    let line = expired.strip_prefix("Invalid anchors:\n\t* ").unwrap();
    let (serial, rest) = line.split_once(' ').unwrap();
    assert!(serial.bytes().all(|byte| byte.is_ascii_digit()), "{serial}");
    assert!(rest.starts_with("root.linkerd.cluster.local not valid anymore. Expired on 2035-12-30T"), "{rest}");
    assert!(text(are_in_time(&credentials, after(-1))).contains("not valid before: 2026-01-01T"));
}

// Acceptance case 45 of installation.
#[test]
fn certificates_that_end_within_sixty_days_are_announced() {
    let made = made();
    let credentials = read(&made, &made.trust_anchor);
    assert_eq!(do_last(&credentials, after(3650 - 61)), Ok(()));
    assert!(text(do_last(&credentials, after(3650 - 59))).contains(" will expire on 2035-12-30T"));
    let issuer = credentials.issuer().unwrap().chain_validity();
    assert_eq!(lasts(&issuer, after(365 - 61)), Ok(()));
    assert!(lasts(&issuer, after(365 - 59)).unwrap_err().starts_with("will expire on 2027-01-01T"));
}

#[test]
fn an_issuer_of_another_root_is_not_trusted() {
    let (one, other) = (made(), made());
    assert!(text(is_trusted(&read(&one, &other.trust_anchor), NAME, now())).contains("do not verify"));
    let both = format!("{}\n{}", other.trust_anchor, one.trust_anchor);
    assert_eq!(is_trusted(&read(&one, &both), NAME, now()), Ok(()));
    assert!(text(is_trusted(&read(&one, &one.trust_anchor), NAME, after(366))).contains("not valid anymore"));
}

#[test]
fn anchors_with_other_algorithms_are_listed() {
    let made = made();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "strong");
    let strong = params.self_signed(&key).unwrap().pem();
    let credentials = read(&made, &format!("{}{strong}", made.trust_anchor));
    let found = text(have_supported_algorithms(&credentials));
    assert!(found.ends_with("must use P-256 curve for public key, instead P-384 was used"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
}
