use super::*;

#[test]
fn an_empty_text_gives_the_defaults() {
    assert_eq!(Values::from_yaml("").unwrap(), Values::default());
    assert_eq!(Values::from_yaml("{}").unwrap(), Values::default());
    assert_eq!(Values::from_yaml("# nothing\n").unwrap(), Values::default());
}

#[test]
fn the_defaults_survive_a_round_trip() {
    let yaml = serde_saphyr::to_string(&Values::default()).unwrap();
    assert_eq!(Values::from_yaml(&yaml).unwrap(), Values::default());
}

#[test]
fn unknown_keys_are_tolerated_and_null_means_the_default() {
    let values =
        Values::from_yaml("future: {a: 1}\nproxy:\n  logLevel: null\n  await: false\n  image: null\n").unwrap();
    let mut expected = Values::default();
    expected.proxy.r#await = false;
    assert_eq!(values, expected);
}

#[test]
fn a_legacy_global_map_is_flattened_and_loses_to_the_top_level() {
    let yaml = "global:\n  clusterDomain: old.example\n  linkerdVersion: v1\n  proxy:\n    logLevel: debug\n    uid: 1\nlinkerdVersion: v2\nproxy:\n  uid: 3\n";
    let values = Values::from_yaml(yaml).unwrap();
    assert_eq!(values.cluster_domain, "old.example");
    assert_eq!(values.linkerd_version, "v2");
    assert_eq!(values.proxy.log_level, "debug");
    assert_eq!(values.proxy.uid, 3);
}

#[test]
fn scalars_are_read_whatever_their_looks() {
    let yaml = "proxy:\n  opaquePorts: 3306\n  uid: \"2103\"\n  ports: {admin: 4292.0}\n  resources: {cpu: {limit: 1}}\n  cores: \"\"\n";
    let values = Values::from_yaml(yaml).unwrap();
    assert_eq!(values.proxy.opaque_ports, "3306");
    assert_eq!(values.proxy.uid, 2103);
    assert_eq!(values.proxy.ports.admin, 4292);
    assert_eq!(values.proxy.resources.cpu.limit, "1");
    assert_eq!(values.proxy.cores, 0);
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    let error = Values::from_yaml("proxy: {uid: [1]}").unwrap_err().to_string();
    assert!(error.contains("expected an integer"), "{error}");
    assert!(Values::from_yaml("proxy: [").is_err());
}

#[test]
fn the_trust_domain_defaults_to_the_cluster_domain() {
    let mut values = Values::default();
    assert_eq!(values.trust_domain(), "cluster.local");
    values.identity_trust_domain = "example.org".into();
    assert_eq!(values.trust_domain(), "example.org");
}
