use super::*;

const ANY: Rules = Rules { same_node_only: false, hints: true, ipv6: true };
const LOCAL: Rules = Rules { same_node_only: true, hints: true, ipv6: true };
const V4: Rules = Rules { same_node_only: false, hints: true, ipv6: false };

fn at(address: &str) -> Candidate {
    Candidate {
        address: SocketAddr::new(address.parse().unwrap(), 80),
        endpoint: Arc::default(),
        pod: None,
        zone: "".into(),
        hints: None,
        rank: Rank::Bare,
    }
}

/// The candidate of a pod.
fn of(pod: &str, address: &str) -> Candidate {
    let place = PodPlace { namespace: "ns".into(), name: pod.into(), node: format!("node-of-{pod}").into() };
    Candidate { pod: Some(place), rank: Rank::Live, ..at(address) }
}

impl Candidate {
    fn hinted(self, zones: &[&str], nodes: &[&str]) -> Self {
        let share = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        Self { hints: Some(Arc::new(Hints { zones: share(zones), nodes: share(nodes) })), ..self }
    }

    fn zoned(self, zone: &str) -> Self {
        Self { zone: zone.into(), ..self }
    }
}

fn in_zone(zone: &str) -> Client {
    Client { zone: zone.into(), node: None }
}

fn on_node(zone: &str, node: &str) -> Client {
    Client { zone: zone.into(), node: Some(node.into()) }
}

fn selected(candidates: &[Candidate], rules: Rules, client: &Client) -> String {
    let entries = select(candidates, rules, client);
    let ips = entries.iter().map(|entry| entry.address.ip().to_string());
    ips.collect::<Vec<_>>().join(" ")
}

// Case 24.
#[test]
fn zone_hints_choose_the_clients_zone() {
    let all = [of("a", "10.0.0.1").hinted(&["west-1a"], &[]), of("b", "10.0.0.2").hinted(&["west-1b"], &[])];
    assert_eq!(selected(&all, ANY, &in_zone("west-1a")), "10.0.0.1");
    assert_eq!(selected(&all, ANY, &in_zone("west-1b")), "10.0.0.2");
}

// Case 25.
#[test]
fn hints_are_ignored_unless_all_have_them_and_one_is_for_the_client() {
    let hinted = of("a", "10.0.0.1").hinted(&["west-1a"], &[]);
    let mixed = [hinted.clone(), of("b", "10.0.0.2")];
    assert_eq!(selected(&mixed, ANY, &in_zone("west-1a")), "10.0.0.1 10.0.0.2");
    let other = [hinted, of("b", "10.0.0.2").hinted(&["west-1b"], &[])];
    assert_eq!(selected(&other, ANY, &in_zone("west-1c")), "10.0.0.1 10.0.0.2");
    assert_eq!(selected(&other, ANY, &in_zone("")), "10.0.0.1 10.0.0.2");
}

// Case 26.
#[test]
fn the_only_endpoint_is_never_filtered_out() {
    assert_eq!(selected(&[of("a", "10.0.0.1").hinted(&["west-1a"], &[])], ANY, &in_zone("east")), "10.0.0.1");
}

#[test]
fn node_hints_go_before_zone_hints_and_fall_back_to_them() {
    let all = [
        of("a", "10.0.0.1").hinted(&["west"], &["node-1"]),
        of("b", "10.0.0.2").hinted(&["west"], &["node-2"]),
        of("c", "10.0.0.3").hinted(&["east"], &["node-3"]),
    ];
    assert!(depends_on_node(&all, ANY));
    assert_eq!(selected(&all, ANY, &on_node("west", "node-2")), "10.0.0.2");
    assert_eq!(selected(&all, ANY, &on_node("west", "node-9")), "10.0.0.1 10.0.0.2");
    assert_eq!(selected(&all, ANY, &on_node("north", "node-9")), "10.0.0.1 10.0.0.2 10.0.0.3");
}

// Cases 27 and 28.
#[test]
fn local_traffic_goes_to_pods_of_the_node_alone() {
    let all = [of("a", "10.0.0.1").hinted(&["x"], &[]), of("b", "10.0.0.2").hinted(&["x"], &[]), at("10.0.0.3")];
    assert!(depends_on_node(&all, LOCAL) && !depends_on_node(&all, ANY));
    assert_eq!(selected(&all, LOCAL, &on_node("x", "node-of-a")), "10.0.0.1");
    assert_eq!(selected(&all, LOCAL, &on_node("x", "node-9")), "");
}

// Cases 7 and 8.
#[test]
fn of_a_pod_with_two_families_ipv6_is_preferred_if_enabled() {
    let all = [of("a", "10.0.0.1"), of("a", "2001:db8::68"), of("b", "10.0.0.2"), at("10.0.0.9"), at("2001:db8::9")];
    assert_eq!(selected(&all, ANY, &in_zone("")), "10.0.0.2 10.0.0.9 2001:db8::9 2001:db8::68");
    assert_eq!(selected(&all, V4, &in_zone("")), "10.0.0.1 10.0.0.2 10.0.0.9 2001:db8::9");
}

// Case 10.
#[test]
fn ipv4_stays_when_hints_took_the_ipv6_address_away() {
    let all = [of("a", "10.0.0.1").hinted(&["west"], &[]), of("a", "2001:db8::68").hinted(&["east"], &[])];
    assert_eq!(selected(&all, ANY, &in_zone("west")), "10.0.0.1");
}

// Case 76.
#[test]
fn of_two_objects_with_one_address_the_live_one_counts() {
    let mark = |candidate: Candidate, http2| {
        let endpoint = Arc::new(Endpoint { http2, ..Endpoint::default() });
        Candidate { endpoint, ..candidate }
    };
    let ended = Candidate { rank: Rank::Ended, ..mark(of("old", "10.0.0.1"), false) };
    let live = mark(of("new", "10.0.0.1"), true);
    for all in [[ended.clone(), live.clone()], [live.clone(), ended], [at("10.0.0.1"), live]] {
        let entries = select(&all, ANY, &in_zone(""));
        assert_eq!(entries.len(), 1);
        assert!(entries[0].endpoint.http2);
    }
}

// Case 29.
#[test]
fn entries_say_how_near_they_are() {
    let all = [of("a", "10.0.0.1").zoned("west"), of("b", "10.0.0.2").zoned("east"), of("c", "10.0.0.3")];
    let localities: Vec<_> = select(&all, ANY, &in_zone("west")).iter().map(|entry| entry.locality).collect();
    assert_eq!(localities, [Locality::Local, Locality::Remote, Locality::Unknown]);
}
