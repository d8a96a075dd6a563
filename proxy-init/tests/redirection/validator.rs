//! The validator, with and without rules.

use super::{
    init::succeed,
    net::{LOOPBACK, Namespace, Network, PEER},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    net::{TcpListener, UdpSocket},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_linkerd2-network-validator");
/// As the chart calls it where IPv6 is on.
const BOTH_VERSIONS: &str = "--connect-addr [fd00::1]:20001 --listen-addr [::]:4140";

/// Exit code, what was logged, and how long it took.
fn run(namespace: &Namespace, arguments: &str) -> (Option<i32>, String, Duration) {
    let started = Instant::now();
    let output = namespace.spawn(PROGRAM, arguments, None).wait_with_output().expect("the program runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"), started.elapsed())
}

// case 18
#[test]
fn redirected_traffic_is_found_at_once() {
    let network = Network::new();
    succeed(&network.pod, "--iptables-mode nft");
    for arguments in ["--connect-addr 1.1.1.1:20001 --listen-addr 0.0.0.0:4140", BOTH_VERSIONS, "--timeout 0"] {
        let (code, told, elapsed) = run(&network.pod, arguments);
        assert!(code == Some(0) && told.contains("Validated"), "{told}");
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    }
}

#[test]
fn each_ip_version_of_the_pod_must_be_redirected() {
    let network = Network::new();
    succeed(&network.pod, "--iptables-mode nft");
    // IPv6 stays redirected.
    let flushed = network.pod.spawn("iptables-nft", "-t nat -F OUTPUT", None).wait().expect("iptables");
    assert!(flushed.success());
    let (code, told, _) = run(&network.pod, &format!("{BOTH_VERSIONS} --timeout 300ms"));
    assert!(code == Some(95) && told.contains("addr=192.0.2.2:1404"), "{told}");
    assert!(!told.contains("addr=[fd00::1]"), "{told}");
}

// case 18
#[test]
fn traffic_that_is_not_redirected_is_told_at_the_timeout() {
    // Nothing answers beyond the peer: packets are dropped.
    let network = Network::new();
    let (code, told, elapsed) = run(&network.pod, "--timeout 500ms --connect-addr 10.200.0.99:1");
    assert_eq!(code, Some(95), "{told}");
    assert!(elapsed >= Duration::from_millis(500), "{elapsed:?}");
    assert!(told.contains("Failed to validate networking configuration.") && told.contains("timeout=500ms"), "{told}");
    // No way there, and refused.
    let alone = Namespace::new("alone");
    for (addr, reason) in [("1.1.1.1:20001", "unreachable"), ("127.0.0.1:9", "refused")] {
        let (code, told, _) = run(&alone, &format!("--timeout 200ms --connect-addr {addr}"));
        assert!(code == Some(95) && told.contains("Unable to connect to validator."), "{told}");
        assert!(told.contains(reason), "{told}");
    }
}

// case 18
#[test]
fn rules_that_come_late_are_in_time() {
    let network = Network::new();
    let mut child = network.pod.spawn(PROGRAM, "--timeout 60s --connect-addr 1.1.1.1:20001", None);
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert!(lines.any(|line| line.expect("a line").contains("Not redirected yet")));
    succeed(&network.pod, "--iptables-mode nft");
    assert!(lines.any(|line| line.expect("a line").contains("Validated")));
    assert!(child.wait().expect("its end").success());
}

// case 18
#[test]
fn a_signal_ends_it_as_not_validated() {
    let network = Network::new();
    for (signal, name) in [(Signal::TERM, "Killed by SIGTERM"), (Signal::INT, "Killed by SIGINT")] {
        let mut child = network.pod.spawn(PROGRAM, "--timeout 60s --log-format json", None);
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("that it listens");
        assert!(line.contains(r#""target":"linkerd_network_validator""#), "{line}");
        kill_process(Pid::from_child(&child), signal).expect("to signal it");
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("the rest");
        assert!(rest.contains(name), "{rest}");
        assert_eq!(child.wait().expect("its end").code(), Some(95));
    }
}

// case 47
#[test]
fn an_address_in_use_is_told_at_once_and_bad_arguments_differ() {
    let alone = Namespace::new("alone");
    let _listener = alone.within(|| TcpListener::bind((LOOPBACK[0], 4140))).expect("a free address");
    let (code, told, elapsed) = run(&alone, "--listen-addr 127.0.0.1:4140");
    assert!(code == Some(95) && told.contains("Failed to bind server on 127.0.0.1:4140"), "{told}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    let (code, told, _) = run(&alone, "--log-format foo");
    assert!(code == Some(2) && told.lines().count() == 1, "{told}");
}

/// The kernel's rule that keeps the validator from looking at inbound rules: see its module.
#[test]
fn a_pods_connections_to_itself_do_not_tell_of_inbound_rules() {
    let network = Network::with_servers();
    succeed(&network.pod, "--iptables-mode nft");
    let own = network.pod.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((PEER[0], 1))?;
        socket.local_addr()
    });
    let own = own.expect("an address").ip();
    assert_eq!(network.pod.ask((own, 8080).into()).expect("an answer"), "app");
    assert_eq!(network.peer.ask((own, 8080).into()).expect("an answer"), "inbound");
}
