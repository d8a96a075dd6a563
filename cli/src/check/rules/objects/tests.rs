use super::*;
use serde_json::json;

fn documents() -> Vec<Document> {
    expected::by_default("l5d").unwrap()
}

fn found(names: &[&str]) -> BTreeSet<(Option<String>, String)> {
    names.iter().map(|name| (None, (*name).to_owned())).collect()
}

const ROLES: [&str; 5] = [
    "linkerd-l5d-destination",
    "linkerd-l5d-identity",
    "linkerd-l5d-policy",
    "linkerd-l5d-proxy-injector",
    "linkerd-l5d-sp-validator",
];

#[test]
fn every_role_of_the_chart_must_be_there() {
    assert_eq!(has_all("ClusterRole", &documents(), &found(&ROLES)), Ok(()));
    let missing = has_all("ClusterRole", &documents(), &found(&ROLES[1..4]));
    let expected = "missing ClusterRoles of this control plane: linkerd-l5d-destination, linkerd-l5d-sp-validator; \
                    apply the manifests of the installation again";
    assert_eq!(missing, Err(Finding::error(expected)));
}

#[test]
fn an_object_of_the_same_name_in_another_namespace_does_not_count() {
    let names = ["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector", "linkerd-sp-validator"];
    let within = |namespace: &str| names.iter().map(|name| (Some(namespace.to_owned()), (*name).to_owned())).collect();
    assert_eq!(has_all("ServiceAccount", &documents(), &within("l5d")), Ok(()));
    assert!(has_all("ServiceAccount", &documents(), &within("linkerd")).is_err());
}

#[test]
fn what_is_missing_of_another_version_is_a_warning() {
    let missing = || Finding::error("missing Roles: a");
    assert_eq!(of_versions(missing(), ("0.1.0", "0.1.0")), missing());
    let other = of_versions(missing(), ("0.1.0", "0.2.0"));
    assert!(matches!(other, Finding::Warning(text) if text.contains("0.2.0 of this program only")));
    assert_eq!(of_versions(Finding::Skipped, ("0.1.0", "0.2.0")), Finding::Skipped);
}

#[test]
fn a_definition_must_serve_the_stored_version() {
    let definition = Document::of(json!({
        "kind": "CustomResourceDefinition", "metadata": { "name": "servers.policy.linkerd.io" },
        "spec": { "versions": [{ "name": "v1beta1" }, { "name": "v1beta3", "storage": true }] },
    }));
    let wanted = wanted(&[definition]);
    assert_eq!(wanted, [("servers.policy.linkerd.io".to_owned(), "v1beta3".to_owned())]);
    assert_eq!(are_served(&wanted, &[vec!["v1beta1".to_owned(), "v1beta3".to_owned()]]), Ok(()));
    for served in [vec![], vec!["v1beta1".to_owned()]] {
        let missing = are_served(&wanted, &[served]);
        assert!(matches!(missing, Err(Finding::Error(text)) if text.contains(": servers.policy.linkerd.io v1beta3;")));
    }
}

#[test]
fn every_definition_of_the_chart_is_wanted() {
    let wanted = wanted(&expected::definitions("linkerd").unwrap());
    assert_eq!(wanted.len(), 10);
    assert!(wanted.iter().all(|(_, version)| version.starts_with('v')), "{wanted:?}");
}
