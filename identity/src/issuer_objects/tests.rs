use super::*;
use k8s_openapi::ByteString;
use kube::api::ObjectMeta;

fn files() -> Content {
    let part = |text: &str| Ok(text.as_bytes().to_vec());
    Content { certificates: part("file"), key: part("file"), trust_anchors: part("file") }
}

fn part(text: &str) -> Part {
    Ok(text.as_bytes().to_vec())
}

fn secret(data: &[(&str, &str)]) -> Secret {
    let data = data.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec())));
    let metadata = ObjectMeta { name: Some("issuer".to_owned()), ..ObjectMeta::default() };
    Secret { metadata, data: Some(data.collect()), ..Secret::default() }
}

// Case 30.
#[test]
fn a_secret_of_either_scheme_stands_in_the_place_of_its_files() {
    for (scheme, keys) in [(Scheme::Linkerd, ["crt.pem", "key.pem"]), (Scheme::Kubernetes, ["tls.crt", "tls.key"])] {
        let mut seen = Seen::default();
        assert!(seen.over(files()) == files(), "nothing was seen yet");
        seen.see_secret(&secret(&[(keys[0], "certificate"), (keys[1], "key")]), scheme);
        let content = seen.over(files());
        assert_eq!((content.certificates, content.key), (part("certificate"), part("key")));
        assert_eq!(content.trust_anchors, part("file"));
    }
}

#[test]
fn a_config_map_stands_in_the_place_of_its_file() {
    let mut seen = Seen::default();
    let data = [(TRUST_ANCHORS.to_owned(), "anchors".to_owned())];
    seen.see_config_map(&ConfigMap { data: Some(data.into()), ..ConfigMap::default() });
    let content = seen.over(files());
    assert_eq!((content.trust_anchors, content.key), (part("anchors"), part("file")));
    seen.see_config_map(&ConfigMap::default());
    assert_eq!(seen.over(files()).trust_anchors, Err("ConfigMap : it has no key ca-bundle.crt".to_owned()));
}

#[test]
fn a_key_that_is_missing_is_named() {
    let mut seen = Seen::default();
    seen.see_secret(&secret(&[("tls.crt", "certificate")]), Scheme::Kubernetes);
    assert_eq!(seen.over(files()).key, Err("Secret issuer: it has no key tls.key".to_owned()));
}
