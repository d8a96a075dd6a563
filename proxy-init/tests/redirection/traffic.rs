//! What the rules do to traffic.

use super::{
    FLAVOURS,
    init::succeed,
    net::{LOOPBACK, Network, OUTBOUND, PEER, POD},
};
use std::{net::UdpSocket, time::Duration};

/// In a pod, what answers at each address, for both IP versions.
fn assert_answers(network: &Network, what: &str) {
    for version in 0..2 {
        let (pod, peer, loopback) = (POD[version], PEER[version], LOOPBACK[version]);
        let pod_asks = |addr, port| network.pod.ask((addr, port).into()).expect("an answer");
        let peer_asks = |port| network.peer.ask((pod, port).into()).expect("an answer");
        // case 16
        assert_eq!(peer_asks(8080), "inbound", "{what}: a port of the application");
        assert_eq!(peer_asks(7), "inbound", "{what}: a port where nothing listens");
        assert_eq!(peer_asks(9090), "app", "{what}: an ignored port");
        // case 44
        assert_eq!(peer_asks(OUTBOUND), "inbound", "{what}: the proxy's outbound port from outside");
        assert_eq!(pod_asks(pod, 8080), "app", "{what}: the pod's own address");
        // case 17
        assert_eq!(pod_asks(peer, 8080), "outbound", "{what}: from the application to a peer");
        assert_eq!(pod_asks(peer, 80), "peer", "{what}: to an ignored port of a peer");
        assert_eq!(pod_asks(loopback, 8080), "app", "{what}: from the application to loopback");
        assert_eq!(network.pod.ask_as(2102, 5, (peer, 8080).into()), "peer", "{what}: from the proxy's user");
        assert_eq!(network.pod.ask_as(5, 2103, (peer, 8080).into()), "peer", "{what}: from the proxy's group");
        assert_eq!(network.pod.ask_as(5, 5, (peer, 8080).into()), "outbound", "{what}: from another user");
    }
}

// cases 16, 17 and 44
#[test]
fn connections_reach_the_proxy_unless_they_are_excepted() {
    for (mode, _) in FLAVOURS {
        let network = Network::with_servers();
        let arguments =
            format!("--iptables-mode {mode} -g 2103 --inbound-ports-to-ignore 9090 --outbound-ports-to-ignore 80");
        succeed(&network.pod, &arguments);
        assert_answers(&network, mode);
        succeed(&network.pod, &arguments);
        assert_answers(&network, "after a second run");
    }
}

// case 16
#[test]
fn with_a_list_of_ports_the_others_go_straight_to_the_application() {
    let network = Network::with_servers();
    succeed(&network.pod, "--iptables-mode nft -r 8080");
    for address in POD {
        let ask = |port| network.peer.ask((address, port).into());
        assert_eq!(ask(8080).expect("an answer"), "inbound");
        assert_eq!(ask(9090).expect("an answer"), "app");
        assert!(ask(7).is_err(), "nothing listens there");
    }
}

// cases 10 and 15
#[test]
fn connections_from_an_ignored_subnet_go_straight_to_the_application() {
    let network = Network::with_servers();
    succeed(&network.pod, "--iptables-mode nft --subnets-to-ignore 10.200.0.9/24");
    assert_eq!(network.peer.ask((POD[0], 8080).into()).expect("an answer"), "app");
    assert_eq!(network.peer.ask((POD[1], 8080).into()).expect("an answer"), "inbound");
    // The exception is one for inbound connections.
    assert_eq!(network.pod.ask((PEER[0], 8080).into()).expect("an answer"), "outbound");
}

// case 44
#[test]
fn udp_is_left_alone() {
    let network = Network::with_servers();
    succeed(&network.pod, "--iptables-mode nft");
    let server = network.peer.within(|| UdpSocket::bind((PEER[0], 53))).expect("a free address");
    let client = network.pod.within(|| UdpSocket::bind((POD[0], 5300))).expect("a free address");
    client.send_to(b"question", (PEER[0], 53)).expect("to send");
    server.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut buffer = [0; 16];
    let (length, from) = server.recv_from(&mut buffer).expect("the question");
    assert_eq!((&buffer[..length], from), (&b"question"[..], (POD[0], 5300).into()));
}
