use super::*;
use crate::{
    core::{algorithm, authority::Authority},
    testing::{FOO, anchors, ca, ca_with, hours, issuer, key_of, only_client_auth, rsa_key, seconds, start},
};
use rcgen::{BasicConstraints, GeneralSubtree, IsCa, KeyPair, NameConstraints, PKCS_ECDSA_P521_SHA512};

fn refusal(result: Result<Vec<Validity>, ChainError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn an_issuer_is_trusted_below_an_anchor_or_as_one() {
    let root = ca("root").self_signed();
    let middle = ca("middle").signed_by(&root);
    let own = ca("own").signed_by(&middle);
    for (further, anchor) in [(vec![&middle], &root), (vec![], &middle), (vec![], &own), (vec![&middle, &root], &root)]
    {
        assert!(anchors(&[anchor]).verify(&issuer(&own, &further), FOO, start()).is_ok());
    }
    assert!(refusal(anchors(&[&root]).verify(&issuer(&own, &[]), FOO, start())).ends_with("UnknownIssuer"));
    let rsa = ca_with("rsa", rsa_key()).self_signed();
    assert!(anchors(&[&rsa]).verify(&issuer(&ca("own").signed_by(&rsa), &[]), FOO, start()).is_ok());
}

#[test]
fn what_proxies_would_refuse_is_refused_at_the_start() {
    let root = ca("root").self_signed();
    let trusted = anchors(&[&root]);
    let client_only = ca("own").with(only_client_auth).signed_by(&root);
    assert!(trusted.verify(&issuer(&client_only, &[]), FOO, start()).is_err());
    let middle = ca("middle").with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let middle = middle.signed_by(&root);
    let too_deep = ca("own").signed_by(&middle);
    assert!(trusted.verify(&issuer(&too_deep, &[&middle]), FOO, start()).is_err());
    let elsewhere = ca("own").with(|params| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("example.org".to_owned())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
    });
    assert!(trusted.verify(&issuer(&elsewhere.signed_by(&root), &[]), FOO, start()).is_err());
}

// Case 35; the announcement sixty days before is that of `linkerd check`.
#[test]
fn expiry_is_told_with_the_times() {
    let own = ca("own").valid("1989-01-01T00:00:00Z".parse().unwrap(), "1990-01-01T01:01:11Z".parse().unwrap());
    let own = own.self_signed();
    let error = refusal(anchors(&[&own]).verify(&issuer(&own, &[]), FOO, start()));
    assert_eq!(
        error,
        "issuer certificate: not valid anymore. Expired on 1990-01-01T01:01:11Z \
         (current time 2026-03-01T12:00:00Z, notBefore 1989-01-01T00:00:00Z)"
    );
    let early = ca("own").valid(start() + seconds(1), start() + hours(1)).self_signed();
    let error = refusal(anchors(&[&early]).verify(&issuer(&early, &[]), FOO, start()));
    assert!(error.contains("not valid before: 2026-03-01T12:00:01Z"), "{error}");
}

#[test]
fn an_expired_certificate_anywhere_in_the_file_or_an_expired_anchor_is_refused() {
    let root = ca("root").self_signed();
    let middle = ca("middle").until(start() - seconds(1)).signed_by(&root);
    let own = ca("own").signed_by(&middle);
    let error = anchors(&[&root]).verify(&issuer(&own, &[&middle]), FOO, start()).unwrap_err();
    assert!(matches!(error, ChainError::Untimely(_)));
    let old = ca("old").until(start() - seconds(1)).self_signed();
    let own = ca("own").signed_by(&old);
    let error = anchors(&[&old]).verify(&issuer(&own, &[]), FOO, start()).unwrap_err();
    assert!(matches!(error, ChainError::NoAnchor(_)), "{error}");
}

#[test]
fn an_anchor_that_expires_hands_over_to_its_renewal() {
    let pem = KeyPair::generate().unwrap().serialize_pem();
    let key = || KeyPair::from_pem(&pem).unwrap();
    let old = ca_with("root", key()).until(start() + hours(1)).self_signed();
    let new = ca_with("root", key()).valid(start() + seconds(60), start() + hours(1000)).self_signed();
    let own = ca("own").signed_by(&old);
    let authority = Authority::new(issuer(&own, &[]), anchors(&[&old, &new]), FOO, start()).unwrap();
    assert!(authority.verify(start() + hours(1)).is_ok());
    assert!(authority.verify(start() + hours(2)).is_ok());
    assert!(authority.verify(start() + hours(1001)).is_err());
    assert!(authority.verify(start()).is_ok());
    assert_eq!(authority.remaining(start() + hours(999)), hours(1));
    let only_old = Authority::new(issuer(&own, &[]), anchors(&[&old]), FOO, start()).unwrap();
    assert!(only_old.verify(start() + hours(2)).is_err());
}

// A trust anchor that is replaced: the new root is signed by the old one, too, and that certificate stands in
// the issuer's file. Proxies of either generation build a path.
#[test]
fn a_cross_signed_root_leads_proxies_of_both_generations_to_their_anchor() {
    let old = ca("old root").until(start() + hours(100)).self_signed();
    let pem = KeyPair::generate().unwrap().serialize_pem();
    let new = ca_with("new root", KeyPair::from_pem(&pem).unwrap()).self_signed();
    let cross = ca_with("new root", KeyPair::from_pem(&pem).unwrap()).until(start() + hours(90)).signed_by(&old);
    let own = ca("own").signed_by(&new);
    for anchor in [vec![&old], vec![&new], vec![&old, &new], vec![&new, &old]] {
        assert!(anchors(&anchor).verify(&issuer(&own, &[&cross]), FOO, start()).is_ok());
    }
    assert!(anchors(&[&old]).verify(&issuer(&own, &[]), FOO, start()).is_err(), "the certificate is what leads there");
    assert!(anchors(&[&new]).verify(&issuer(&own, &[]), FOO, start()).is_ok());
}

#[test]
fn an_anchor_that_does_not_trust_the_issuer_makes_it_last_no_longer() {
    let old = ca("old").until(start() + hours(10)).self_signed();
    let new = ca("new").self_signed();
    let own = ca("own").signed_by(&old);
    let authority = Authority::new(issuer(&own, &[]), anchors(&[&new, &old]), FOO, start()).unwrap();
    assert_eq!(authority.end(start()), start() + hours(10));
    assert_eq!(authority.remaining(start() + hours(4)), hours(6));
    let error = authority.verify(start() + hours(11)).unwrap_err();
    assert!(matches!(error, ChainError::NoAnchor(_)), "{error}");
    assert_eq!(authority.remaining(start() + hours(11)), Duration::ZERO);
}

#[test]
fn bundles_that_are_empty_or_malformed_say_so() {
    let error = |bundle: &[u8]| TrustAnchors::from_pem(bundle).err().unwrap().to_string();
    assert_eq!(error(b"\n"), "cannot read the trust anchors: No certificates found");
    assert!(error(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").starts_with("trust anchor 1 is"));
}

// Case 34.
#[test]
fn anchors_have_keys_of_p256_or_long_rsa() {
    let check = |der: &[u8]| algorithm::check_anchor(&X509Certificate::from_der(der).unwrap().1);
    assert_eq!(check(ca_with("rsa", rsa_key()).self_signed().der()), Ok(()));
    assert_eq!(check(ca("p256").self_signed().der()), Ok(()));
    let p521 = ca_with("p521", key_of(&PKCS_ECDSA_P521_SHA512)).self_signed();
    assert_eq!(check(p521.der()), Err(algorithm::AlgorithmError::Curve("P-521".to_owned())));
    let short = pem::certificates(RSA_1024.as_bytes()).unwrap();
    let expected = "RSA must use a 2048 or 4096 bit public key, instead 1024 bit public key was used";
    assert_eq!(check(&short[0]).unwrap_err().to_string(), expected);
}

/// Signs itself, with a key so short that no crypto provider of ours makes one.
const RSA_1024: &str = "\
-----BEGIN CERTIFICATE-----
MIIB/jCCAWegAwIBAgIUH5SBULqjvtabGltWaXz3Yoz0ugwwDQYJKoZIhvcNAQEL
BQAwEDEOMAwGA1UEAwwFc2hvcnQwIBcNMjYxMTI1MDE0NTM0WhgPMjEyNjExMDEw
MTQ1MzRaMBAxDjAMBgNVBAMMBXNob3J0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB
iQKBgQCw2tQf6PNbBDkSHjWXbJ3vjd2n5fWKpmmkbY1QUYuUWFes/ZXObAoPn4IU
WToIFswjsCVdA7PE0BCz1IZAUrqvx5cIemDUhg8M5lisAfM3wOMiqW8ifDbn6Ckf
YzbmWWHspFDwSDeIfrfPmRXjN4Gd9UwWvst/bpLY4NhFq+A5PQIDAQABo1MwUTAd
BgNVHQ4EFgQUfPnBwY5InLZp4j/w5eJByBXR6uQwHwYDVR0jBBgwFoAUfPnBwY5I
nLZp4j/w5eJByBXR6uQwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOB
gQACsLkdPN1nFDSddlyw44Fv4ehdPmxiThdFdtTfBI38kQfB4XHlmKPNa7FBeN64
M1hz+A45wW34HwapzTsGJIfaFe6aDyNFuZsYbDZblBasmK2HOj6LOQ1GcfdcU10y
r6gtqUdY+6y2xMjVmdJxMTrYt+xsSkIfwWWgeQxHUFRqGQ==
-----END CERTIFICATE-----
";
