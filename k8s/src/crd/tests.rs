use super::*;
use std::collections::BTreeSet;

#[test]
fn definitions_come_in_the_order_of_installation() {
    let names: Vec<_> = all().iter().map(|crd| crd["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "authorizationpolicies.policy.linkerd.io",
            "egressnetworks.policy.linkerd.io",
            "httplocalratelimitpolicies.policy.linkerd.io",
            "httproutes.policy.linkerd.io",
            "meshtlsauthentications.policy.linkerd.io",
            "networkauthentications.policy.linkerd.io",
            "serverauthorizations.policy.linkerd.io",
            "servers.policy.linkerd.io",
            "serviceprofiles.linkerd.io",
            "externalworkloads.workload.linkerd.io",
        ]
    );
}

#[test]
fn versions_are_served_and_the_last_one_is_stored() {
    let stored: Vec<_> = all().iter().map(versions).collect();
    assert_eq!(
        stored,
        [
            "*v1alpha1",
            "*v1alpha1",
            "*v1alpha1",
            "v1alpha1 v1beta1 v1beta2 *v1beta3",
            "*v1alpha1",
            "*v1alpha1",
            "v1alpha1! *v1beta1",
            "v1alpha1! v1beta1! v1beta2 *v1beta3",
            "v1alpha1 *v1alpha2",
            "v1alpha1 *v1beta1",
        ]
    );
}

/// Names of versions: `*` is stored, `!` deprecated.
fn versions(crd: &Value) -> String {
    let describe = |version: &Value| {
        assert_eq!(version["served"], true);
        let name = version["name"].as_str().unwrap();
        let stored = if version["storage"] == true { "*" } else { "" };
        let deprecated = if version["deprecated"] == true { "!" } else { "" };
        format!("{stored}{name}{deprecated}")
    };
    crd["spec"]["versions"].as_array().unwrap().iter().map(describe).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_schema_is_structural() {
    for crd in all() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let place = format!("{} {}", crd["metadata"]["name"], version["name"]);
            assert_structural(&version["schema"]["openAPIV3Schema"], &place);
        }
    }
}

/// The rules of structural schemas, as far as this crate could break them.
fn assert_structural(schema: &Value, place: &str) {
    let is_untyped =
        schema["x-kubernetes-int-or-string"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true;
    assert!(schema["type"].is_string() || is_untyped, "{place} has no type");
    let fields: BTreeSet<_> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let alternatives = schema["oneOf"].as_array().into_iter().flatten().map(|alternative| &alternative["required"]);
    for required in std::iter::once(&schema["required"]).chain(alternatives) {
        for name in required.as_array().into_iter().flatten() {
            assert!(fields.contains(name.as_str().unwrap()), "{place} requires {name}, which it lacks");
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        assert_structural(field, &format!("{place}.{name}"));
    }
    if schema["type"] == "array" {
        assert_structural(&schema["items"], &format!("{place}[]"));
    }
}

#[test]
fn every_field_is_described() {
    fn assert_described(schema: &Value, place: &str) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{place}.{name} has no description");
            assert_described(field, &format!("{place}.{name}"));
        }
        if schema["type"] == "array" {
            assert_described(&schema["items"], place);
        }
    }
    for crd in all() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
            assert_described(spec, crd["metadata"]["name"].as_str().unwrap());
        }
    }
}

#[test]
fn only_v1alpha1_profiles_need_routes() {
    let crd = all().remove(8);
    let spec = |i: usize| crd["spec"]["versions"][i]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
    assert_eq!(spec(0)["required"], serde_json::json!(["routes"]));
    assert_eq!(spec(1)["required"], Value::Null);
    assert_eq!(spec(0)["properties"], spec(1)["properties"]);
}

#[test]
fn generated_files_hold_templates_in_metadata_only_and_parse_back() {
    for ((path, text), definition) in chart_files().unwrap().into_iter().zip(all()) {
        assert_eq!(text.matches("{{").count(), 3, "{}", path.display());
        let mut parsed: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(parsed["metadata"]["labels"]["linkerd.io/control-plane-ns"], "{{ .Release.Namespace }}");
        parsed["metadata"].as_object_mut().unwrap().retain(|key, _| key == "name");
        assert_eq!(parsed, definition, "{}", path.display());
    }
}

#[test]
fn the_charts_files_are_up_to_date() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in chart_files().unwrap() {
        let written = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(written == text, "{} differs: run `cargo xtask generate`", path.display());
    }
}
