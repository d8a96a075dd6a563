use super::*;
use crate::testing::{FOO, Made, anchors, ca, hours, issuer, lifetimes, seconds, self_signed_authority, start};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use linkerd_controller::tls::provider;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyIdMethod};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{collections::HashSet, sync::Arc};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::{OID_PKCS9_EMAIL_ADDRESS, OID_SIG_ECDSA_WITH_SHA256},
    prelude::FromDer,
};

fn point() -> P256Point {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    key.public_key().as_ref().try_into().unwrap()
}

fn issue(issuer: &Issuer, name: &str, lifetimes: Lifetimes) -> Leaf {
    let leaf = LeafRequest { name, has_common_name: true, public_key: &point() };
    issuer.issue(leaf, lifetimes, start()).unwrap()
}

/// Verifies a leaf as a proxy does: as that of a server of a name, and as that of a client.
fn verify(leaf: &Leaf, issuer: &Issuer, roots: &[&Made], name: &str) -> Result<(), rustls::Error> {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add(root.der().clone()).unwrap());
    let (store, der) = (Arc::new(store), CertificateDer::from(leaf.der.as_slice()));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(start().as_second() as u64));
    let server = WebPkiServerVerifier::builder_with_provider(store.clone(), provider()).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    server.verify_server_cert(&der, issuer.chain(), &name, &[], now)?;
    let client = WebPkiClientVerifier::builder_with_provider(store, provider()).build().unwrap();
    client.verify_client_cert(&der, issuer.chain(), now).map(|_| ())
}

// Cases 1, 7 and 8.
#[test]
fn a_leaf_has_exactly_the_fields_of_a_workload_certificate() {
    let (own, authority) = self_signed_authority();
    let leaf = issue(authority.issuer(), FOO, lifetimes(24, 20));
    assert_eq!(leaf.der[0], 0x30);
    let (rest, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(parsed.version().0, 2);
    assert_eq!(parsed.signature_algorithm.algorithm, OID_SIG_ECDSA_WITH_SHA256);
    assert_eq!(parsed.signature_algorithm, parsed.tbs_certificate.signature);
    assert_eq!(parsed.subject().to_string(), format!("CN={FOO}"));
    let (_, issuer) = X509Certificate::from_der(own.der()).unwrap();
    assert_eq!(parsed.issuer().as_raw(), issuer.subject().as_raw());
    parsed.verify_signature(Some(issuer.public_key())).unwrap();
    let mut kinds = Vec::new();
    for extension in parsed.extensions() {
        kinds.push((extension.critical, extension.parsed_extension().clone()));
    }
    let [
        (true, ParsedExtension::KeyUsage(usage)),
        (false, ParsedExtension::ExtendedKeyUsage(purposes)),
        (false, ParsedExtension::AuthorityKeyIdentifier(authority_id)),
        (false, ParsedExtension::SubjectAlternativeName(names)),
    ] = &kinds[..]
    else {
        panic!("{kinds:?}");
    };
    assert_eq!(usage.flags, 0b101);
    assert!(purposes.server_auth && purposes.client_auth && !purposes.any && purposes.other.is_empty());
    assert_eq!(names.general_names, [GeneralName::DNSName(FOO)]);
    let issuer_id = issuer.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.clone()),
        _ => None,
    });
    assert!(issuer_id.is_some());
    assert_eq!(authority_id.key_identifier, issuer_id);
}

#[test]
fn proxies_accept_a_leaf_for_its_name_and_no_other() {
    let root = ca("root").self_signed();
    let middle = ca("middle").signed_by(&root);
    let own = ca("identity").signed_by(&middle);
    let issuer = issuer(&own, &[&middle]);
    let leaf = issue(&issuer, FOO, lifetimes(24, 20));
    verify(&leaf, &issuer, &[&root], FOO).unwrap();
    verify(&leaf, &issuer, &[&middle], FOO).unwrap();
    assert!(verify(&leaf, &issuer, &[&root], "bar.ns1.serviceaccount.identity.linkerd.cluster.local").is_err());
    let other = ca("root").self_signed();
    assert!(verify(&leaf, &issuer, &[&other], FOO).is_err());
}

#[test]
fn without_a_common_name_the_alternative_name_is_critical() {
    let (own, authority) = self_signed_authority();
    let leaf = LeafRequest { name: FOO, has_common_name: false, public_key: &point() };
    let leaf = authority.issuer().issue(leaf, lifetimes(24, 20), start()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
    assert_eq!(parsed.subject().as_raw(), [0x30, 0]);
    assert!(parsed.subject_alternative_name().unwrap().unwrap().critical);
    verify(&leaf, authority.issuer(), &[&own], FOO).unwrap();
}

// Case 42.
#[test]
fn a_name_longer_than_64_octets_is_an_ordinary_name() {
    let name = format!("{}.{}.serviceaccount.identity.linkerd.cluster.local", "s".repeat(60), "n".repeat(60));
    let (own, authority) = self_signed_authority();
    let leaf = issue(authority.issuer(), &name, lifetimes(24, 20));
    let (_, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
    assert_eq!(parsed.subject().to_string(), format!("CN={name}"));
    verify(&leaf, authority.issuer(), &[&own], &name).unwrap();
}

/// A name that an encoder of names would not give back: two units, strings of several kinds, an e-mail.
fn unusual_name(params: &mut CertificateParams) {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, DnValue::PrintableString("Mesh".try_into().unwrap()));
    name.push(DnType::OrganizationalUnitName, DnValue::Utf8String("Ürsprung".to_owned()));
    name.push(DnType::LocalityName, DnValue::TeletexString("Zug".try_into().unwrap()));
    let email: Vec<u64> = OID_PKCS9_EMAIL_ADDRESS.iter().unwrap().collect();
    name.push(DnType::CustomDnType(email), DnValue::Ia5String("ca@example.com".try_into().unwrap()));
    params.distinguished_name = name;
}

#[test]
fn the_issuer_name_is_copied_byte_for_byte() {
    let root = ca("root").self_signed();
    let own = ca("").with(unusual_name).signed_by(&root);
    let issuer = issuer(&own, &[]);
    let leaf = issue(&issuer, FOO, lifetimes(24, 20));
    let (_, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
    let (_, parent) = X509Certificate::from_der(own.der()).unwrap();
    assert_eq!(parsed.issuer().as_raw(), parent.subject().as_raw());
    verify(&leaf, &issuer, &[&root], FOO).unwrap();
}

#[test]
fn the_authority_key_id_is_whatever_the_issuer_calls_itself() {
    let id = vec![1, 2, 3, 4];
    let own = ca("own").with(|params| params.key_identifier_method = KeyIdMethod::PreSpecified(id.clone()));
    let issuer = issuer(&own.self_signed(), &[]);
    let leaf = issue(&issuer, FOO, lifetimes(24, 20));
    let expected = [&[0x30, 6, 0x80, 4][..], &id].concat();
    assert!(leaf.der.windows(expected.len()).any(|window| window == expected));
}

// Cases 2, 3 and 4.
#[test]
fn validity_is_lifetime_and_skew_cut_at_the_end_of_the_issuer() {
    let of = |end: Timestamp, lifetimes: Lifetimes| {
        issue(&issuer(&ca("own").until(end).self_signed(), &[]), FOO, lifetimes).validity
    };
    let long = of(start() + hours(8760), lifetimes(24, 20));
    assert_eq!(long.not_before, start() - seconds(20));
    assert_eq!(long.not_after, start() + hours(24) + seconds(20));
    let short = of(start() + hours(10) + seconds(10), lifetimes(24, 10));
    assert_eq!(short.not_after, start() + hours(10) + seconds(10));
    let enough = of(start() + hours(48) + seconds(10), lifetimes(24, 10));
    assert_eq!(enough.not_after, start() + hours(24) + seconds(10));
}

// Case 5.
#[test]
fn the_earliest_end_of_the_issuer_file_counts() {
    let root = ca("root").self_signed();
    let middle = ca("middle").until(start() + hours(5)).signed_by(&root);
    let own = ca("own").signed_by(&middle);
    let issuer = issuer(&own, &[&middle]);
    assert_eq!(issuer.chain(), [own.der().clone(), middle.der().clone()]);
    let leaf = issue(&issuer, FOO, lifetimes(24, 10));
    assert_eq!(leaf.validity.not_after, start() + hours(5));
    assert!(leaf.is_short);
    let (_, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
    assert_eq!(Validity::of(&parsed), leaf.validity);
    assert!(anchors(&[&root]).verify(&issuer, FOO, start()).is_ok());
}

#[test]
fn times_are_whole_seconds() {
    let (_, authority) = self_signed_authority();
    let leaf = LeafRequest { name: FOO, has_common_name: true, public_key: &point() };
    let now = start() + Duration::from_millis(999);
    let leaf = authority.issuer().issue(leaf, lifetimes(1, 0), now).unwrap();
    assert_eq!(leaf.validity.not_before, start());
    assert_eq!(leaf.validity.not_after, start() + hours(1));
}

// Case 38.
#[test]
fn serials_are_positive_long_and_never_the_same() {
    let (_, authority) = self_signed_authority();
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let leaf = issue(authority.issuer(), FOO, lifetimes(24, 20));
        let (_, parsed) = X509Certificate::from_der(&leaf.der).unwrap();
        let serial = parsed.raw_serial();
        assert!(serial.len() <= 17 && serial.len() > 8 && serial[0] < 0x80, "{serial:x?}");
        assert!(seen.insert(serial.to_vec()));
    }
}
