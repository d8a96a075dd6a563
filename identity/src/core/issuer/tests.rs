use super::*;
use crate::testing::{Made, ca, ca_with, key_of, rsa_key};
use rcgen::{IsCa, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512};

fn load(certificate: &Made, key: &Made) -> Result<Issuer, IssuerError> {
    Issuer::from_pem(certificate.pem().as_bytes(), key.key().serialize_pem().as_bytes())
}

fn refusal(made: &Made) -> String {
    load(made, made).err().unwrap().to_string()
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, two) = (ca("one").self_signed(), ca("two").self_signed());
    assert_eq!(load(&one, &two).err(), Some(IssuerError::Mismatch));
    assert!(load(&one, &one).is_ok());
    let rsa = ca_with("rsa", rsa_key()).self_signed();
    assert_eq!(load(&one, &rsa).err(), Some(IssuerError::Mismatch));
    assert_eq!(load(&rsa, &one).err(), Some(IssuerError::Mismatch));
}

// Cases 34 and 46.
#[test]
fn an_issuer_has_a_key_of_p256() {
    let rsa = ca_with("rsa", rsa_key()).self_signed();
    let expected = "issuer certificate must use ECDSA for public key algorithm, instead RSA was used";
    assert_eq!(refusal(&rsa), expected);
    let p521 = ca_with("p521", key_of(&PKCS_ECDSA_P521_SHA512)).self_signed();
    assert_eq!(refusal(&p521), "must use P-256 curve for public key, instead P-521 was used");
}

#[test]
fn an_issuer_is_signed_with_sha_256() {
    let p384 = ca_with("p384", key_of(&PKCS_ECDSA_P384_SHA384)).self_signed();
    let own = ca("own").signed_by(&p384);
    assert_eq!(refusal(&own), "must be signed by an ECDSA P-256 key, instead ECDSA-SHA384 was used");
    let rsa = ca_with("rsa", rsa_key()).self_signed();
    assert!(load(&ca("own").signed_by(&rsa), &ca("own").signed_by(&rsa)).is_err());
    let own = ca("own").signed_by(&rsa);
    assert!(load(&own, &own).is_ok());
}

#[test]
fn an_issuer_may_sign_certificates() {
    let leaf = ca("leaf").with(|params| params.is_ca = IsCa::ExplicitNoCa).self_signed();
    assert_eq!(refusal(&leaf), "issuer cert is not a CA");
    let plain = ca("plain").with(|params| params.is_ca = IsCa::NoCa).self_signed();
    assert_eq!(refusal(&plain), "issuer cert is not a CA");
    let usage = ca("usage").with(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]).self_signed();
    assert_eq!(refusal(&usage), "issuer cert is not a CA");
    let no_usage = ca("no usage").with(|params| params.key_usages.clear()).self_signed();
    assert!(load(&no_usage, &no_usage).is_ok());
}

#[test]
fn files_that_are_no_credentials_say_what_is_wrong() {
    let made = ca("own").self_signed();
    let (certificate, key) = (made.pem(), made.key().serialize_pem());
    let error = |certificate: &str, key: &str| {
        Issuer::from_pem(certificate.as_bytes(), key.as_bytes()).err().unwrap().to_string()
    };
    assert_eq!(error("", &key), "failed to read CA: No certificates found");
    assert_eq!(error(&certificate, ""), "failed to read CA: not PEM-encoded");
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(error(&(certificate + junk), &key).starts_with("failed to read CA: certificate 2 of the issuer file"));
}
