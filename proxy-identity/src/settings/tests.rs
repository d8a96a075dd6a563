use super::*;
use rcgen::{CertificateParams, KeyPair};

fn anchor() -> String {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec!["root.linkerd.cluster.local".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
}

/// The mistakes found in an environment.
fn mistakes(directory: &str, anchors: &str, name: &str) -> Vec<String> {
    let variable = |asked: &str| {
        let value = match asked {
            DIRECTORY => directory,
            TRUST_ANCHORS => anchors,
            LOCAL_NAME => name,
            _ => return None,
        };
        Some(value.to_owned())
    };
    match Settings::from_env(variable) {
        Ok(_) => Vec::new(),
        Err(Error::Settings(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

const NAME: &str = "web.emojivoto.serviceaccount.identity.linkerd.cluster.local";

// identity.md case 40
#[test]
fn every_mistake_is_told_at_once() {
    assert_eq!(
        mistakes("", "", ""),
        [
            "LINKERD2_PROXY_IDENTITY_DIR must be set",
            "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS must be set",
            "LINKERD2_PROXY_IDENTITY_LOCAL_NAME must be set"
        ]
    );
    let found = mistakes("/does/not/exist", "no PEM", "web");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("/does/not/exist"), "{found:?}");
    assert!(found[1].contains("no PEM block of type CERTIFICATE"), "{found:?}");
    assert!(found[2].contains(r#""web" is not a fully qualified DNS name"#), "{found:?}");
}

#[test]
fn good_settings_are_taken_with_text_around_the_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let anchors = format!("\n# primary\n{}\n# next\n{}\n\n", anchor(), anchor());
    assert_eq!(mistakes(path, &anchors, NAME), [""; 0]);
}

#[test]
fn the_directory_must_be_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let found = mistakes(file.path().to_str().unwrap(), &anchor(), NAME);
    assert!(found[0].ends_with("is not a directory: it is a file"), "{found:?}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for broken in [
        "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n",
        "-----BEGIN PUBLIC KEY-----\naGVsbG8=\n-----END PUBLIC KEY-----\n",
    ] {
        let found = mistakes(path, broken, NAME);
        assert_eq!(found.len(), 1, "{broken}: {found:?}");
        assert!(found[0].starts_with("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"), "{found:?}");
    }
}

#[test]
fn names_have_at_least_two_labels() {
    for good in [NAME, "a.b", "my-sa.ns", "1.2.3.4"] {
        assert!(good.parse::<Name>().is_ok(), "{good}");
    }
    let long = format!("{}.b", "a".repeat(64));
    for bad in ["web", "a..b", ".a.b", "a.b.", "a b.c", "$(_pod_sa).ns", "ä.b", long.as_str()] {
        assert!(bad.parse::<Name>().is_err(), "{bad}");
    }
}
