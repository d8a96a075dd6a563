use super::*;
use serde_json::json;

fn now() -> Timestamp {
    "2026-08-01T12:00:00Z".parse().unwrap()
}

fn fallback(external_anchors: Option<&str>) -> Fallback<'_> {
    Fallback { namespace: "l5d", external_anchors, now: now() }
}

fn values(more: Value) -> Value {
    let mut values = json!({
        "clusterDomain": "cluster.local",
        "identityTrustDomain": "",
        "identity": {"externalCA": false, "issuer": {"scheme": "linkerd.io/tls"}},
    });
    super::super::values::merge(&mut values, more);
    values
}

fn given(made: &Credentials) -> Value {
    let tls = json!({ "crtPEM": made.issuer, "keyPEM": made.issuer_key });
    json!({ "identityTrustAnchorsPEM": made.trust_anchor, "identity": { "issuer": { "tls": tls } } })
}

fn refusal(values: Value, external_anchors: Option<&str>) -> String {
    let mut values = self::values(values);
    let error = fill(&mut values, &IdentityArgs::default(), fallback(external_anchors)).unwrap_err();
    format!("{error:#}")
}

#[test]
fn without_any_credentials_a_root_and_an_issuer_for_the_trust_domain_are_made() {
    let mut values = values(json!({ "identityTrustDomain": "example.org" }));
    fill(&mut values, &IdentityArgs::default(), fallback(None)).unwrap();
    assert_ne!(text_at(&values, ANCHORS), text_at(&values, CERTIFICATE));
    assert_eq!(check(&values, "l5d", now()).unwrap(), Vec::<String>::new());
    let anchors = TrustAnchors::from_pem(text_at(&values, ANCHORS).as_bytes()).unwrap();
    assert!(anchors.iter().next().unwrap().subject.contains("root.l5d.example.org"));
}

#[test]
fn given_credentials_are_kept_with_intermediates() {
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let chain = format!("{}{}", made.issuer, made.trust_anchor);
    let mut given = values(given(&made));
    put(&mut given, CERTIFICATE, chain.as_str());
    let before = given.clone();
    fill(&mut given, &IdentityArgs::default(), fallback(None)).unwrap();
    assert_eq!(given, before);
    assert!(check(&given, "l5d", now()).unwrap().is_empty());
}

// Acceptance case 27 of installation.
#[test]
fn some_credentials_without_the_others_are_refused() {
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    for (missing, text) in [
        (ANCHORS, "a trust anchors file must be specified"),
        (CERTIFICATE, "a certificate file must be specified"),
        (KEY, "a private key file must be specified"),
    ] {
        let mut some = given(&made);
        put(&mut some, missing, " \n");
        let error = refusal(some, None);
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn an_external_issuer_needs_its_trust_anchors_only() {
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let external = json!({ "identity": { "issuer": { "scheme": EXTERNAL } } });
    assert!(refusal(external.clone(), None).contains("ca.crt"));
    let mut found = values(external.clone());
    fill(&mut found, &IdentityArgs::default(), fallback(Some(&made.trust_anchor))).unwrap();
    assert_eq!(text_at(&found, ANCHORS), made.trust_anchor);
    assert!(check(&found, "l5d", now()).is_ok());
    let mut both = given(&made);
    super::super::values::merge(&mut both, external);
    assert!(refusal(both, None).contains("remove --identity-issuer-certificate-file"));
}

#[test]
fn trust_anchors_that_something_else_maintains_need_an_issuer() {
    let external = json!({ "identity": { "externalCA": true } });
    assert!(refusal(external, None).contains("a certificate file"));
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let mut values = values(given(&made));
    put(&mut values, ANCHORS, "");
    put(&mut values, "identity.externalCA", true);
    fill(&mut values, &IdentityArgs::default(), fallback(None)).unwrap();
    assert!(check(&values, "l5d", now()).is_ok());
}

#[test]
fn credentials_that_proxies_would_not_trust_are_refused() {
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let other = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let foreign_key = Credentials { issuer_key: other.issuer_key.clone(), ..made.clone() };
    let foreign_root = Credentials { trust_anchor: other.trust_anchor, ..made };
    for (credentials, reason) in [(foreign_key, "Public and private key do not match"), (foreign_root, "verify")] {
        let error = format!("{:#}", check(&values(given(&credentials)), "l5d", now()).unwrap_err());
        assert!(error.starts_with("failed to validate issuer credentials: "), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_certificate_near_its_end_is_worth_a_warning() {
    let made = Credentials::generate("l5d", "cluster.local", now()).unwrap();
    let later = now() + jiff::SignedDuration::from_hours(310 * 24);
    let warnings = check(&values(given(&made)), "l5d", later).unwrap();
    assert!(warnings.len() == 1 && warnings[0].contains("issuer certificate will expire on"), "{warnings:?}");
}
