use std::collections::HashMap;

use super::*;

/// Variables of a pod, with files that are there.
pub fn variables(folder: &Path) -> HashMap<String, String> {
    for file in ["key.p8", "csr.der", "token"] {
        std::fs::write(folder.join(file), "content").unwrap();
    }
    let anchor = rcgen::generate_simple_self_signed(["root".to_owned()]).unwrap().cert.pem();
    let variables = [
        ("IDENTITY_SVC_ADDR", "identity.linkerd.svc.cluster.local.:8080".to_owned()),
        ("DESTINATION_SVC_ADDR", "localhost.:8086".to_owned()),
        ("POLICY_SVC_ADDR", "localhost.:8086".to_owned()),
        ("IDENTITY_SVC_NAME", "identity.name".to_owned()),
        ("IDENTITY_LOCAL_NAME", "web.ns".to_owned()),
        ("IDENTITY_TOKEN_FILE", folder.join("token").display().to_string()),
        ("IDENTITY_DIR", folder.display().to_string()),
        ("IDENTITY_TRUST_ANCHORS", anchor),
        ("POLICY_WORKLOAD", "ns:web\n".to_owned()),
        ("ADMIN_LISTEN_ADDR", "[::]:4192".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn read(variables: &HashMap<String, String>) -> Result<Config, Vec<String>> {
    Config::from_environment(|name| variables.get(name).cloned()).map_err(|Invalid(mistakes)| mistakes)
}

#[test]
fn ports_are_numbers_and_ranges_with_spaces_and_empty_items() {
    assert_eq!(ports("8080, 90-92,,").unwrap(), [8080, 90, 91, 92]);
    assert_eq!(ports("").unwrap(), [0; 0]);
    assert!(ports("http").is_err());
}

#[test]
fn durations_have_one_number_and_one_unit() {
    assert_eq!(optional("5m").unwrap(), Some(Duration::from_secs(300)));
    assert_eq!(optional(" 100ms ").unwrap(), Some(Duration::from_millis(100)));
    assert_eq!(optional("").unwrap(), None);
    for bad in ["1m30s", "1.5s", "-1s", "5", "s", "99999999999999999999d"] {
        assert!(optional(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_server_that_is_not_on_loopback_needs_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(folder.path());
    let config = read(&variables).unwrap();
    assert_eq!(config.identity.server_name.as_deref(), Some("identity.name"));
    assert_eq!(config.destination.server_name, None);
    assert_eq!((config.workload.as_str(), config.admin_port), ("ns:web\n", 4192));
    assert_eq!((config.limits, config.profile_networks), (Limits::NONE, Vec::new()));
    variables.remove("IDENTITY_SVC_NAME");
    assert_eq!(read(&variables).unwrap_err(), ["LINKERD2_PROXY_IDENTITY_SVC_NAME is not set"]);
}

#[test]
fn every_mistake_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(folder.path());
    std::fs::write(folder.path().join("csr.der"), "").unwrap();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    set("INBOUND_PORTS", "http");
    set("CONTROL_STREAM_INITIAL_TIMEOUT", "5m");
    set("CONTROL_STREAM_IDLE_TIMEOUT", "3s");
    set("DESTINATION_SVC_ADDR", "destination");
    set("DESTINATION_SVC_NAME", "destination.name");
    set("IDENTITY_TRUST_ANCHORS", "no PEM");
    let mistakes = read(&variables).unwrap_err().join("\n");
    for part in ["csr.der is empty", "\"http\" is no port", "CONTROL_STREAM_*", "is no HOST:PORT", "no certificate"] {
        assert!(mistakes.contains(part), "{part}: {mistakes}");
    }
}
