use super::*;
use crate::core::values::DEFAULT_OPAQUE_PORTS;
use serde_json::json;

fn pod(spec: Value) -> PodView {
    PodView::read(&json!({ "spec": spec })).unwrap()
}

fn defaults() -> PortList {
    PortList::parse(DEFAULT_OPAQUE_PORTS).0
}

#[test]
fn a_list_keeps_its_order_and_names_the_bad_items() {
    let (list, bad) = PortList::parse("22, 8100-8102,,x,70000,0,9-8,4 5,5-5,22,+80,-1");
    assert_eq!(list.to_string(), "22,8100-8102,5");
    assert_eq!(bad, ["x", "70000", "0", "9-8", "4 5", "+80", "-1"]);
    assert!(list.contains(8101) && !list.contains(8103));
}

// Acceptance cases 42 and 43.
#[test]
fn opaque_ports_may_be_named_after_ports_of_any_container() {
    let pod = pod(json!({
        "initContainers": [{"name": "i", "ports": [{"name": "mysql", "containerPort": 3306}]}],
        "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 80}]}],
    }));
    let read = |text| PortList::parse_named(text, &pod);
    assert_eq!(read("mysql").0.to_string(), "3306");
    let (list, bad) = read("4320-4325, 3306,,x,70000");
    assert_eq!(list.to_string(), "4320-4325,3306");
    assert_eq!(bad, ["x", "70000"]);
    assert!(read("").0.is_empty());
}

// Acceptance case 48.
#[test]
fn inbound_ports_are_declared_ports_and_probes_by_number_in_order() {
    let pod = pod(json!({
        "initContainers": [{"name": "i", "ports": [{"containerPort": 11211}]}],
        "containers": [{
            "name": "c",
            "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80, "name": "x"}],
            "livenessProbe": {"httpGet": {"port": 9090}},
            "readinessProbe": {"httpGet": {"port": "x"}},
            "startupProbe": {"httpGet": {"port": 9091}},
        }, {
            "name": "d",
            "livenessProbe": {"tcpSocket": {"port": 7}},
            "readinessProbe": {"httpGet": {"port": "8080"}},
        }],
    }));
    assert_eq!(inbound(&pod).to_string(), "80,9090,9091,11211");
}

// Acceptance case 44.
#[test]
fn a_pod_is_opaque_on_those_of_its_ports_that_are_so_by_default() {
    let spec = json!({
        "initContainers": [{"name": "i", "ports": [{"containerPort": 11211}]}],
        "containers": [
            {"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 3306}]},
            {"name": "d", "ports": [{"containerPort": 3306}, {"containerPort": 25, "protocol": "UDP"}]},
        ],
    });
    assert_eq!(opaque_of_pod(&pod(spec), &defaults()).to_string(), "11211,3306");
    assert!(opaque_of_pod(&pod(json!({"containers": [{"ports": [{"containerPort": 80}]}]})), &defaults()).is_empty());
}

#[test]
fn the_default_list_is_read_as_ranges() {
    let defaults = PortList::parse("3300-3310").0;
    let pod = pod(json!({"containers": [{"name": "c", "ports": [{"containerPort": 3306}]}]}));
    assert_eq!(opaque_of_pod(&pod, &defaults).to_string(), "3306");
}

// Acceptance case 46.
#[test]
fn a_service_is_opaque_where_it_leads_to_an_opaque_port() {
    let service = json!({"spec": {"ports": [
        {"port": 9090, "targetPort": 3306},
        {"port": 5432, "targetPort": 9091},
        {"port": 3306},
        {"port": 9093, "targetPort": "mysql"},
        {"port": 25, "protocol": "UDP"},
        {"port": 587, "targetPort": "587"},
    ]}});
    assert_eq!(opaque_of_service(&service, &defaults()).unwrap().to_string(), "9090,3306");
    assert!(opaque_of_service(&json!({}), &defaults()).unwrap().is_empty());
    assert!(opaque_of_service(&json!({"spec": {"ports": "x"}}), &defaults()).is_err());
}
