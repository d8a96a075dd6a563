use super::*;
use crate::testing::{FOO, csr, key_of, rsa_key};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use linkerd_controller::key_and_csr::KeyAndCsr;
use rcgen::{CustomExtension, IsCa, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType};

fn check(der: &[u8]) -> Result<Checked, ShapeError> {
    Csr::parse(der).unwrap().check(FOO)
}

fn refusal(der: &[u8]) -> String {
    check(der).unwrap_err().to_string()
}

// Cases 11 and 12.
#[test]
fn only_der_without_trailing_bytes_is_a_request() {
    let good = csr(FOO).der();
    assert!(Csr::parse(&good).is_ok());
    let pem = format!("-----BEGIN CERTIFICATE REQUEST-----\n{good:?}\n-----END CERTIFICATE REQUEST-----\n");
    for bad in [b"fake-data".as_slice(), pem.as_bytes(), &good[..good.len() - 1], b""] {
        assert!(matches!(Csr::parse(bad), Err(CsrError::Malformed(_))));
    }
    let trailing = [good.as_slice(), b"\0"].concat();
    assert_eq!(Csr::parse(&trailing).err(), Some(CsrError::TrailingBytes));
}

#[test]
fn a_malformed_extension_is_a_malformed_request() {
    let names = CustomExtension::from_oid_content(&[2, 5, 29, 17], b"\x30\x7fjunk".to_vec());
    let der = csr(FOO).names(&[]).with(|params| params.custom_extensions = vec![names]).der();
    assert_eq!(Csr::parse(&der).err(), Some(CsrError::Extension));
}

// Case 13.
#[test]
fn there_is_exactly_one_dns_name() {
    for names in [&[][..], &[FOO, FOO][..], &[FOO, "other.example"][..]] {
        assert_eq!(refusal(&csr(FOO).names(names).der()), "CSR must have exactly one DNSName");
    }
}

#[test]
fn a_second_list_of_names_counts_too() {
    let second = CustomExtension::from_oid_content(&[2, 5, 29, 17], b"\x30\x05\x82\x03bar".to_vec());
    let der = csr(FOO).with(|params| params.custom_extensions = vec![second]).der();
    assert_eq!(refusal(&der), "CSR must have exactly one DNSName");
}

// Case 14.
#[test]
fn the_name_is_the_identity() {
    let der = csr("bar.example").der();
    assert_eq!(refusal(&der), format!("CSR name does not match requested identity: csr=bar.example; req={FOO}"));
}

// Case 15.
#[test]
fn the_common_name_is_the_identity_or_empty() {
    assert!(check(&csr(FOO).der()).unwrap().has_common_name);
    assert!(!check(&csr(FOO).common_name(None).der()).unwrap().has_common_name);
    assert!(!check(&csr(FOO).common_name(Some("")).der()).unwrap().has_common_name);
    assert_eq!(refusal(&csr(FOO).common_name(Some("bar")).der()), "invalid CommonName: bar");
}

// Case 16.
#[test]
fn names_that_cannot_be_validated_are_refused() {
    let address = SanType::IpAddress("10.0.0.1".parse().unwrap());
    let other = SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "me@example".to_owned().into()));
    for (name, what) in [
        (SanType::Rfc822Name("me@example".try_into().unwrap()), "email addresses"),
        (address, "IP addresses"),
        (SanType::URI("spiffe://example/me".try_into().unwrap()), "URIs"),
        (other, "names other than DNS names"),
    ] {
        assert_eq!(refusal(&csr(FOO).also(name).der()), format!("cannot validate {what}"));
    }
}

// Case 17.
#[test]
fn the_sender_holds_the_key() {
    let mut der = csr(FOO).der();
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_eq!(check(&der), Err(ShapeError::Signature));
    // A public key that was swapped for another one.
    let (mine, other) = (csr(FOO), csr(FOO));
    let (mine_point, other_point) = (mine.public_key(), other.public_key());
    let mut der = mine.der();
    let at = der.windows(65).position(|window| window == mine_point).unwrap();
    der[at..at + 65].copy_from_slice(&other_point);
    assert_eq!(check(&der), Err(ShapeError::Signature));
}

// Cases 17 and 44.
#[test]
fn other_keys_are_reported_apart_from_the_shape() {
    for (key, name) in
        [(rsa_key(), "RSA"), (key_of(&PKCS_ED25519), "Ed25519"), (key_of(&PKCS_ECDSA_P384_SHA384), "ECDSA P-384")]
    {
        let error = check(&csr(FOO).key(key).der()).unwrap().public_key.unwrap_err().to_string();
        assert!(error.starts_with("CSR must contain an ECDSA public key: "), "{error}");
        assert!(error.ends_with(&format!("instead {name} was used")), "{error}");
    }
}

#[test]
fn other_requested_extensions_are_ignored() {
    let der = csr(FOO).with(|params| params.is_ca = IsCa::ExplicitNoCa).der();
    assert!(check(&der).is_ok());
}

#[test]
fn the_request_is_one_that_certificates_are_issued_for() {
    let made = KeyAndCsr::generate(FOO).unwrap();
    let checked = Csr::parse(&made.csr).unwrap().check(FOO).unwrap();
    assert!(checked.has_common_name);
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &made.key).unwrap();
    assert_eq!(checked.public_key.unwrap().as_slice(), key.public_key().as_ref());
}
