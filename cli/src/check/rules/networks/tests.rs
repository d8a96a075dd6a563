use super::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(objects: &[Value]) -> Vec<T> {
    objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
}

fn networks() -> Networks {
    Networks::parse("10.0.0.0/8, 192.168.0.0/16,fd00::/8").ok().unwrap()
}

fn node(name: &str, cidr: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "podCIDR": cidr } })
}

#[track_caller]
fn text(verdict: Verdict) -> String {
    match verdict {
        Err(Finding::Error(text)) => text,
        other => panic!("{other:?}"),
    }
}

// Acceptance case 42 of installation.
#[test]
fn networks_of_nodes_outside_are_listed_in_order_with_what_to_do() {
    let nodes = [node("b", "90.10.90.24/24"), node("a", "242.3.64.0/25"), node("c", "10.1.0.0/24")];
    let text = text(hold_nodes(&networks(), &read(&nodes)));
    assert!(text.contains(":\n\t* 242.3.64.0/25 (node a)\n\t* 90.10.90.24/24 (node b)\n"), "{text}");
    assert!(text.contains("--set 'clusterNetworks=10.0.0.0/8\\, 192.168.0.0/16\\,fd00::/8\\,<NETWORK>'"), "{text}");
}

#[test]
fn nodes_that_tell_no_network_are_not_checked() {
    let silent = json!({ "metadata": { "name": "a" }, "spec": {} });
    assert_eq!(hold_nodes(&networks(), &read(std::slice::from_ref(&silent))), Err(Finding::Skipped));
    assert_eq!(hold_nodes(&networks(), &read(&[silent, node("b", "10.0.0.0/24")])), Ok(()));
}

#[test]
fn a_network_that_is_only_partly_inside_is_outside() {
    assert!(text(hold_nodes(&networks(), &read(&[node("a", "8.0.0.0/6")]))).contains("8.0.0.0/6"));
}

#[test]
fn every_pod_with_a_network_of_its_own_is_inside() {
    let pod = |address: &str, shares_network: bool, phase: &str| {
        json!({ "metadata": { "name": "web", "namespace": "app" }, "spec": { "containers": [], "hostNetwork": shares_network },
                "status": { "podIP": address, "phase": phase } })
    };
    let good = [
        pod("10.0.0.1", false, "Running"),
        pod("fd00::1", false, "Running"),
        pod("1.1.1.1", true, "Running"),
        pod("1.1.1.1", false, "Succeeded"),
        json!({ "metadata": { "name": "new", "namespace": "app" } }),
    ];
    assert_eq!(hold_pods(&networks(), &read(&good)), Ok(()));
    assert!(text(hold_pods(&networks(), &read(&[pod("1.1.1.1", false, "Running")]))).contains("1.1.1.1 (pod app/web)"));
}

#[test]
fn every_service_with_an_address_is_inside() {
    let service =
        |address: Value| json!({ "metadata": { "name": "web", "namespace": "app" }, "spec": { "clusterIP": address } });
    let good = [service("10.0.0.1".into()), service("None".into()), service(Value::Null), service("".into())];
    assert_eq!(hold_services(&networks(), &read(&good)), Ok(()));
    let outside = text(hold_services(&networks(), &read(&[service("8.8.8.8".into())])));
    assert!(outside.contains("8.8.8.8 (service app/web)"));
}

#[test]
fn a_network_that_cannot_be_read_is_named() {
    assert!(text(Networks::parse("10.0.0.0/8,x").map(drop)).contains("\"x\""));
}
