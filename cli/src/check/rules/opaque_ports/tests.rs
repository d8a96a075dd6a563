use super::*;
use crate::check::rules::builder::{PodBuilder, pod};
use serde_json::{Value, json};

/// A Service `svc` in front of the pods with label `app: web`.
fn service(port: Value, opaque: Option<&str>) -> Service {
    let annotations = opaque.map(|opaque| json!({ OPAQUE_PORTS: opaque }));
    serde_json::from_value(json!({
        "metadata": { "name": "svc", "namespace": "app", "annotations": annotations },
        "spec": { "clusterIP": "10.0.0.1", "selector": { "app": "web" }, "ports": [port] },
    }))
    .unwrap()
}

fn web() -> PodBuilder {
    pod("web").port("db", 6000)
}

fn verdict(service: Service, pod: PodBuilder) -> Verdict {
    let defaults: PortSet = "25,3306".parse().unwrap();
    all_agree(&[service], &[pod.build()], "linkerd", &defaults)
}

#[track_caller]
fn complains(service: Service, pod: PodBuilder, line: &str) {
    let expected = format!("some opaque ports are not annotated on both sides:\n\t* {line}");
    assert_eq!(verdict(service, pod), Err(Finding::Error(expected)));
}

// Acceptance case 47 of installation.
#[test]
fn a_port_that_the_service_calls_opaque_must_be_so_in_the_pod() {
    let expects = |port: u16| {
        format!(
            "service svc expects target port {port} to be opaque; add it to pod web config.linkerd.io/opaque-ports annotation"
        )
    };
    complains(service(json!({ "port": 7000 }), Some("7000")), web(), &expects(7000));
    complains(service(json!({ "port": 7000, "targetPort": 6000 }), Some("7000")), web(), &expects(6000));
    complains(service(json!({ "port": 7000, "targetPort": "db" }), Some("7000")), web(), &expects(6000));
}

#[test]
fn a_port_that_the_pod_calls_opaque_must_be_so_in_the_service() {
    let targets = "service svc targets the opaque port 6000 through 7000; add 7000 to its config.linkerd.io/opaque-ports annotation";
    for target in [json!(6000), json!("db")] {
        let port = json!({ "port": 7000, "targetPort": target });
        complains(service(port.clone(), None), web().annotation(OPAQUE_PORTS, "6000"), targets);
        complains(service(port, Some("1")), web().annotation(OPAQUE_PORTS, "db"), targets);
    }
}

#[test]
fn ranges_and_names_count_and_defaults_where_nothing_is_annotated() {
    let good = [
        (
            service(json!({ "port": 7000, "targetPort": 1500 }), Some("6900-7100")),
            web().annotation(OPAQUE_PORTS, "1000-2000"),
        ),
        (service(json!({ "port": 7000, "targetPort": "db" }), Some("7000")), web().annotation(OPAQUE_PORTS, "db")),
        (service(json!({ "port": 3306 }), None), web()),
        (service(json!({ "port": 80 }), None), web()),
        (service(json!({ "port": 7000, "targetPort": "unknown" }), Some("7000")), web()),
        (service(json!({ "port": 7000, "protocol": "UDP" }), Some("7000")), web()),
    ];
    for (service, pod) in good {
        assert_eq!(verdict(service.clone(), pod), Ok(()), "{service:?}");
    }
    // An annotation replaces the defaults.
    assert!(verdict(service(json!({ "port": 3306 }), None), web().annotation(OPAQUE_PORTS, "1")).is_err());
}

#[test]
fn headless_services_and_pods_that_are_not_behind_the_service_are_not_compared() {
    let port = || json!({ "port": 7000 });
    let mut headless = service(port(), Some("7000"));
    headless.spec.as_mut().unwrap().cluster_ip = Some("None".to_owned());
    assert_eq!(verdict(headless, web()), Ok(()));
    let mut elsewhere = service(port(), Some("7000"));
    elsewhere.metadata.namespace = Some("other".to_owned());
    assert_eq!(verdict(elsewhere, web()), Ok(()));
    assert_eq!(verdict(service(port(), Some("7000")), pod("other")), Ok(()));
    assert_eq!(verdict(service(port(), Some("7000")), web().unmeshed()), Ok(()));
}

// Acceptance case 55 of installation.
#[test]
fn a_service_without_pods_hides_nothing() {
    let mut lonely = service(json!({ "port": 1 }), Some("1"));
    lonely.spec.as_mut().unwrap().selector = Some([("app".to_owned(), "nobody".to_owned())].into());
    let services = [lonely, service(json!({ "port": 7000 }), Some("7000"))];
    assert!(all_agree(&services, &[web().build()], "linkerd", &PortSet::default()).is_err());
}
