use super::*;
use serde_json::json;

fn pods() -> Vec<Pod> {
    let pod = |name: &str, phase: &str, containers: serde_json::Value| {
        let pod = json!({
            "metadata": {"name": name}, "status": {"phase": phase},
            "spec": {"initContainers": [
                {"name": "linkerd-proxy", "ports": [{"name": "linkerd-admin", "containerPort": 4191}]},
                {"name": "linkerd-init"},
            ], "containers": containers},
        });
        serde_json::from_value(pod).unwrap()
    };
    let port = |name: &str| json!({"name": name, "containerPort": 9990});
    vec![
        pod("web", "Failed", json!([{"name": "policy", "ports": [port("policy-grpc"), port("policy-admin")]}])),
        pod("dst", "Running", json!([{"name": "dest", "ports": [port("dest-admin")]}])),
    ]
}

#[test]
fn every_container_with_an_admin_port_is_asked_in_the_order_of_names() {
    let pods = pods();
    let found = scrapes(&pods).into_iter().map(|scrape| format!("{} {}", scrape.pod.name_any(), scrape.port));
    let expected = ["dst dest-admin", "dst linkerd-admin", "web linkerd-admin", "web policy-admin"];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

// Acceptance case 52 of the command line.
#[tokio::test]
async fn a_pod_that_does_not_run_is_an_error_in_its_block() {
    let pods = pods();
    let stopped = scrapes(&pods).pop().unwrap();
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("a pod that is stopped is not asked"))
    });
    let client = kube::Client::new(service, "default");
    let error = stopped.read(&client, Instant::now()).await.unwrap_err();
    let read = [Ok("a 1\n".to_owned()), Err(error.to_string())];
    insta::assert_snapshot!(text(&scrapes(&pods)[2..], &read), @"
    #
    # POD web (1 of 2)
    # CONTAINER linkerd-proxy 
    #
    a 1
    #
    # POD web (2 of 2)
    # CONTAINER policy 
    # ERROR pod not running: web
    ");
}

#[test]
fn the_wait_is_a_positive_duration() {
    assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
    assert!(duration("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
}
