use super::*;
use clap::Parser as _;
use std::path::PathBuf;

fn global(options: &[&str]) -> Global {
    let words = ["linkerd"].iter().chain(options);
    crate::arguments::Arguments::parse_from(words).global
}

fn sandbox() -> Option<Running> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8086));
    Some(Running {
        pid: 7,
        version: "0".to_owned(),
        identity: address,
        destination: address,
        policy: SocketAddr::from(([127, 0, 0, 1], 8090)),
        admin: address,
        cluster_domain: "cluster.local".to_owned(),
        state_dir: PathBuf::from("state"),
    })
}

#[tokio::test]
async fn an_address_has_a_port_and_wins_over_everything() {
    let options = ["--api-addr", "[::1]:8086", "--kubeconfig", "no/such/file"];
    let target = find(&global(&options), Api::Policy, None, sandbox).await.unwrap();
    assert_eq!(format!("{target:?}"), "the API at [::1]:8086");
    let error = find(&global(&["--api-addr", "localhost"]), Api::Policy, None, || None).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid --api-addr \"localhost\"; use HOST:PORT");
}

#[tokio::test]
async fn a_named_cluster_or_pod_wins_over_a_running_sandbox() {
    let target = find(&global(&[]), Api::Policy, None, sandbox).await.unwrap();
    assert_eq!(format!("{target:?}"), "the sandbox in process 7");
    let options = ["--kubeconfig", "no/such/file"];
    for (options, pod) in [(&options[..], None), (&options[..], Some("p"))] {
        let error = find(&global(options), Api::Policy, pod, sandbox).await.unwrap_err();
        assert!(format!("{error:#}").contains("cannot read no/such/file"), "{error:#}");
    }
}

#[test]
fn each_api_of_a_sandbox_has_an_address_of_its_own() {
    let running = sandbox().unwrap();
    assert_eq!(address(&running, Api::Destination).port(), 8086);
    assert_eq!(address(&running, Api::Policy).port(), 8090);
}

#[tokio::test]
async fn an_address_without_server_is_named_with_the_cause() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Target::Named(free.to_string()).connect(Api::Destination).await.unwrap_err();
    assert!(error.starts_with("rpc error: code = Unavailable desc = cannot connect to 127.0.0.1:"), "{error}");
    assert!(error.contains("onnection refused"), "{error}");
}
