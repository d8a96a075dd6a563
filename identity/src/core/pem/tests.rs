use super::*;
use crate::{
    core::private_key::PrivateKey,
    testing::{ca, rsa_key},
};
use aws_lc_rs::{
    encoding::AsDer,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD};

fn block(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// The PKCS#1 within a PKCS#8 of a 2048-bit RSA key: version and algorithm stand before it.
fn pkcs1(pkcs8: &[u8]) -> &[u8] {
    assert_eq!(pkcs8[22..24], [0x04, 0x82]);
    &pkcs8[26..]
}

fn is_p256(text: &str) -> bool {
    let key = PrivateKey::read(&private_key(text.as_bytes()).unwrap()).unwrap();
    matches!(key, PrivateKey::P256(_))
}

// Case 33.
#[test]
fn keys_of_every_form_are_read() {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    assert!(is_p256(&block("PRIVATE KEY", key.to_pkcs8v1().unwrap().as_ref())));
    assert!(is_p256(&block("EC PRIVATE KEY", key.private_key().as_der().unwrap().as_ref())));
    let rsa = rsa_key().serialize_der();
    assert!(!is_p256(&block("PRIVATE KEY", &rsa)));
    assert!(!is_p256(&block("RSA PRIVATE KEY", pkcs1(&rsa))));
}

// Case 33.
#[test]
fn empty_and_malformed_texts_say_what_is_wrong() {
    assert_eq!(private_key(b"").unwrap_err().to_string(), "not PEM-encoded");
    let certificate = ca("root").self_signed().pem();
    assert_eq!(private_key(certificate.as_bytes()).unwrap_err().to_string(), "unsupported block type: 'CERTIFICATE'");
    let unknown = block("DSA PRIVATE KEY", b"key");
    assert_eq!(private_key(unknown.as_bytes()).unwrap_err().to_string(), "unsupported block type: 'DSA PRIVATE KEY'");
    assert_eq!(certificates(b"").unwrap_err().to_string(), "No certificates found");
    for bad in ["-----BEGIN CERTIFICATE-----\nMIIB", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(certificates(bad.as_bytes()), Err(PemError::Malformed(_))), "{bad}");
    }
    assert!(PrivateKey::read(&private_key(block("EC PRIVATE KEY", b"junk").as_bytes()).unwrap()).is_err());
}

#[test]
fn text_indentation_and_other_blocks_are_passed_over() {
    let made = ca("root").self_signed();
    let indented: String = made.pem().lines().map(|line| format!("  {line} \r\n")).collect();
    let parameters = block("EC PARAMETERS", &[6, 8, 42, 134, 72, 206, 61, 3, 1, 7]);
    let text = format!("\u{feff}# the root\n\n{parameters}{indented}\n{}\ntrailing text\n", made.pem());
    assert_eq!(certificates(text.as_bytes()).unwrap(), [made.der().clone(), made.der().clone()]);
    let key = format!("subject: me\n{parameters}\n{}", made.key().serialize_pem());
    assert!(is_p256(&key));
}
