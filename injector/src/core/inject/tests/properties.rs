use super::*;
use crate::core::{annotations::CATALOGUE, timeouts};
use proptest::prelude::*;

/// Texts that annotations hold, good and bad.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{1,6}",
        "-?[0-9]{1,3}(\\.[0-9]{1,3})?(ms|s|m|h|Mi|k)?",
        "[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}){0,3}",
        Just("true".to_owned()),
        Just("enabled".to_owned()),
        Just("a\"b\\c\n},]~1/".to_owned()),
        Just("[{\"name\":\"A\",\"value\":\"1\"}]".to_owned()),
    ]
}

fn annotations() -> impl Strategy<Value = Vec<(usize, String)>> {
    prop::collection::vec((0..CATALOGUE.len(), text()), 0..12)
}

/// Checks the variables that the proxy parses strictly.
fn check(injected: &Injected) {
    for (name, port) in [("INBOUND", 4143), ("ADMIN", 4191), ("CONTROL", 4190)] {
        let address: std::net::SocketAddr =
            injected.proxy_env(&format!("{name}_LISTEN_ADDR")).unwrap().parse().unwrap();
        assert!(address.port() > 0, "{name} {port}");
    }
    for name in ["INBOUND_PORTS", "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION"] {
        let text = injected.proxy_env(name).unwrap_or_default();
        for item in text.split([',', '-']).filter(|item| !item.is_empty()) {
            assert!(item.parse::<u16>().is_ok(), "{name}: {text}");
        }
    }
    for name in [
        "INBOUND_CONNECT_TIMEOUT",
        "OUTBOUND_CONNECT_TIMEOUT",
        "INBOUND_DISCOVERY_IDLE_TIMEOUT",
        "OUTBOUND_DISCOVERY_IDLE_TIMEOUT",
        "SHUTDOWN_GRACE_PERIOD",
    ] {
        if let Some(text) = injected.proxy_env(name) {
            assert_eq!(timeouts::for_proxy(text).as_deref(), Ok(text), "{name}");
        }
    }
    assert!(injected.proxy_env("CORES").unwrap().parse::<u64>().unwrap() > 0);
    assert!(!injected.proxy_env("INBOUND_DEFAULT_POLICY").unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_annotation_breaks_the_patch_or_the_proxy(namespace in annotations(), own in annotations()) {
        let mut case = pod();
        for (entry, value) in &namespace {
            case = case.on_namespace(CATALOGUE[*entry].key, value);
        }
        for (entry, value) in &own {
            case = case.on_pod(CATALOGUE[*entry].key, value);
        }
        let first = case.mutation().action;
        prop_assert_eq!(&first, &case.mutation().action);
        if matches!(first, Action::Inject(_)) {
            let injected = case.injected();
            check(&injected);
            for (key, value) in &case.namespace.annotations {
                let own = case.pod["metadata"]["annotations"].get(key).and_then(Value::as_str);
                let inherited = CATALOGUE.iter().any(|entry| entry.inherited && entry.key == key);
                prop_assert_eq!(injected.annotation(key), own.or(inherited.then_some(value.as_str())));
            }
        }
    }
}
