use super::*;
use crate::check::rules::builder::text;
use k8s_openapi::{ByteString, api::admissionregistration::v1::ServiceReference};
use linkerd_injector::core::values::Values;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

const NAME: &str = "linkerd-proxy-injector.linkerd.svc";

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn after(days: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + days * 24 * 60 * 60).unwrap()
}

/// Parameters of a certificate that is valid through 2026.
fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 12, 31);
    params
}

struct Made {
    authority: String,
    certificate: String,
    key: String,
}

/// A certificate for `name`, and its authority.
fn made(name: &str) -> Made {
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params(&[name]).signed_by(&key, &authority).unwrap();
    Made { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

fn secret(certificate: &str, key: &str) -> Secret {
    let parts = [("tls.crt", certificate), ("tls.key", key)];
    let data = parts.map(|(key, part)| (key.to_owned(), ByteString(part.as_bytes().to_vec())));
    Secret { data: Some(data.into()), ..Secret::default() }
}

fn client(bundle: &str) -> WebhookClientConfig {
    let service = ServiceReference {
        name: "linkerd-proxy-injector".to_owned(),
        namespace: "linkerd".to_owned(),
        ..ServiceReference::default()
    };
    let ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    WebhookClientConfig { ca_bundle, service: Some(service), url: None }
}

fn served(certificate: &str, key: &str) -> Served {
    Served::read(&INJECTOR, Some(&secret(certificate, key))).unwrap_or_else(|finding| panic!("{finding:?}"))
}

#[test]
fn a_certificate_for_the_service_by_an_authority_of_the_bundle_is_accepted() {
    let (made, other) = (made(NAME), made("other"));
    let served = served(&made.certificate, &made.key);
    assert_eq!(is_accepted(&served, &client(&made.authority), now()), Ok(()));
    let both = format!("{}{}", other.authority, made.authority);
    assert_eq!(is_accepted(&served, &client(&both), now()), Ok(()));
}

#[test]
fn a_certificate_that_is_its_own_authority_is_accepted() {
    for is_ca in [false, true] {
        let mut params = params(&[NAME]);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let verdict = is_accepted(&served(&certificate, &key.serialize_pem()), &client(&certificate), now());
        assert_eq!(verdict, Ok(()), "{is_ca}");
    }
}

#[test]
fn a_certificate_that_the_api_server_refuses_is_refused() {
    let (right, other) = (made(NAME), made(NAME));
    let right_served = served(&right.certificate, &right.key);
    let unknown = text(is_accepted(&right_served, &client(&other.authority), now()));
    assert!(unknown.starts_with("the API server will refuse the certificate for linkerd-proxy-injector.linkerd.svc: "));
    assert!(text(is_accepted(&right_served, &client(""), now())).contains("caBundle"));
    let elsewhere = made("linkerd-proxy-injector.other.svc");
    let verdict = is_accepted(&served(&elsewhere.certificate, &elsewhere.key), &client(&elsewhere.authority), now());
    assert!(text(verdict).contains(NAME));
}

// Acceptance case 45 of installation.
#[test]
fn a_certificate_that_has_ended_is_refused() {
    let made = made(NAME);
    let verdict = is_accepted(&served(&made.certificate, &made.key), &client(&made.authority), after(400));
    assert!(text(verdict).starts_with("the certificate is not valid anymore. Expired on 2026-12-31T"));
}

#[test]
fn the_secret_holds_a_certificate_and_its_key() {
    let (one, other) = (made(NAME), made(NAME));
    assert_eq!(text(Served::read(&INJECTOR, None)), "there is no Secret linkerd-proxy-injector-k8s-tls");
    let empty = text(Served::read(&INJECTOR, Some(&Secret::default())));
    assert_eq!(empty, "the Secret linkerd-proxy-injector-k8s-tls has no tls.crt");
    let mixed = text(Served::read(&INJECTOR, Some(&secret(&one.certificate, &other.key))));
    assert!(mixed.starts_with("the Secret linkerd-proxy-injector-k8s-tls cannot be used: "), "{mixed}");
}

#[test]
fn a_webhook_that_is_called_by_address_has_a_certificate_for_it() {
    let by_url = |url: &str| WebhookClientConfig { url: Some(url.to_owned()), ..WebhookClientConfig::default() };
    assert_eq!(server_name(&by_url("https://127.0.0.1:8443/")).unwrap().to_str(), "127.0.0.1");
    assert_eq!(server_name(&by_url("https://hook.example.org/x")).unwrap().to_str(), "hook.example.org");
    assert_eq!(server_name(&client("")).unwrap().to_str(), NAME);
    assert!(server_name(&WebhookClientConfig::default()).is_err());
}

#[test]
fn a_renewal_is_missed_a_day_after_it_was_due() {
    let days = |days: i64| after(days);
    let validity = Validity { not_before: days(0), not_after: days(90) };
    assert_eq!(was_renewed(&validity, days(60)), Ok(()));
    assert!(text(was_renewed(&validity, days(61))).contains("should have been renewed on 2026-03-02T12:00:00Z"));
}

#[test]
fn whoever_makes_the_certificate_is_told_of_it() {
    let config = |values: Value| Config { tree: json!({ "proxyInjector": values }), values: Values::default() };
    let advice = |values| text(Err::<(), _>(with_advice(Finding::error("bad"), &INJECTOR, &config(values), "l5d")));
    assert!(advice(json!({ "crtPEM": "" })).contains("kubectl logs -n l5d deploy/linkerd-proxy-injector"));
    assert!(advice(json!({ "crtPEM": "x" })).contains("renew the Secret linkerd-proxy-injector-k8s-tls"));
    assert!(!INJECTOR.issues_itself(&config(json!({ "externalSecret": true }))));
}

#[test]
fn the_policy_webhook_is_only_there_when_it_is_enabled() {
    let config = |is_enabled: bool| {
        let tree = json!({ "policyValidator": { "enabled": is_enabled } });
        Config { tree, values: Values::default() }
    };
    assert!(POLICIES.is_installed(&config(true)) && !POLICIES.is_installed(&config(false)));
    assert!(INJECTOR.is_installed(&config(false)) && PROFILES.is_installed(&config(false)));
}
