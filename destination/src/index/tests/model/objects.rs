//! Objects from the choices of events.

use super::event::{Bits, Event};
use crate::fixtures::{
    EndpointExt, Named, PodExt, ServiceExt, SliceExt, bare, external, node, opaque_server, pod, profile, replica_set,
    selector, service, slice,
};
use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, Node, Pod, ReplicaSet, Server, Service, ServiceProfile,
    endpoint_slice::{AddressType, Endpoint, TargetRef},
    names::{annotation, label},
    pod::{Phase, Protocol},
    ports::PortName,
};

pub const NAMESPACES: [&str; 2] = ["a", "b"];
pub const NODES: [&str; 2] = ["node-0", "node-1"];
pub const ZONES: [&str; 2] = ["zone-0", "zone-1"];
/// Ports that are opaque by default.
pub const OPAQUE: &str = "8081";

const UIDS: [&str; 4] = ["", "1", "2", ""];

fn v4(i: usize) -> String {
    format!("10.0.0.{i}")
}

fn v6(i: usize) -> String {
    format!("fd00::{i}")
}

pub fn a_pod(event: Event) -> Pod {
    let mut bits = event.bits();
    let ip = bits.take(2);
    let mut made = pod(&format!("pod-{}", event.name)).namespace(NAMESPACES[event.ns]).ip(&v4(ip));
    made = made.uid(UIDS[bits.take(2)]).on(NODES[bits.take(1)]).account(&format!("sa-{}", event.name));
    made = made.label("app", ["web", "other"][bits.take(1)]);
    made = made.phase([Phase::Running, Phase::Running, Phase::Pending, Phase::Failed][bits.take(2)]);
    let is_on_node = bits.one_in(2);
    made = if is_on_node {
        made.host_port("http", 8080, 8080).host_ip(&v4((ip + 1) & 3))
    } else {
        made.port("http", 8080)
    };
    if !bits.one_in(2) {
        made = made.meshed();
    }
    match bits.take(3) {
        6 => made = made.opaque("8080"),
        7 => made = made.opaque(""),
        _ => {}
    }
    if bits.take(1) == 1 {
        made = made.owner("ReplicaSet", "set");
    }
    if bits.take(1) == 1 {
        made = made.ip(&v6(ip));
    }
    if bits.one_in(3) {
        made.spec.host_network = true;
    }
    if bits.one_in(3) {
        made.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap());
    }
    made
}

pub fn an_external(event: Event) -> ExternalWorkload {
    let mut bits = event.bits();
    let made = external(&format!("vm-{}", event.name & 1), &v4(bits.take(2)), 8080).namespace(NAMESPACES[event.ns]);
    let made = made.label("app", ["web", "other"][bits.take(1)]);
    if bits.one_in(2) { made.opaque("8080") } else { made }
}

pub fn a_slice(event: Event) -> EndpointSlice {
    let mut bits = event.bits();
    let name = format!("svc-{}", bits.take(1));
    let mut made = slice(&name, &format!("slice-{}", event.name % 3)).namespace(NAMESPACES[event.ns]);
    if bits.one_in(2) {
        made.metadata.labels.clear();
        made = made.owner("Service", &name);
    }
    let kind = bits.take(3);
    made.address_type = match kind {
        7 => AddressType::Fqdn,
        5 | 6 => AddressType::IPv6,
        _ => AddressType::IPv4,
    };
    match bits.take(3) {
        4 => made = made.port("http", 8081),
        5 => {}
        6 => {
            made = made.port("http", 8080);
            made.ports[0].port = None;
        }
        7 => made = made.port("http", 8080).port("alt", 9090),
        _ => made = made.port("http", 8080),
    }
    if bits.one_in(3) {
        made =
            made.annotation(annotation::REMOTE_GATEWAY_IDENTITY, "gateway").label(label::MIRROR_CLUSTER_NAME, "east");
    }
    let (hints, count) = (bits.take(2), bits.take(2));
    (0..count).map(|_| an_endpoint(&mut bits, event.ns, kind, hints)).fold(made, SliceExt::endpoint)
}

/// Name, address and UID as an object may have them, had them, or never had.
fn an_endpoint(bits: &mut Bits, ns: usize, kind: usize, hints: usize) -> Endpoint {
    let (name, ip, uid) = (bits.take(2), bits.take(2), UIDS[bits.take(2)]);
    let made = bare(&match kind {
        7 => format!("host-{ip}.example.com"),
        5 | 6 => v6(ip),
        _ => v4(ip),
    });
    let target = |kind: &str, name: String, uid: &str| TargetRef {
        kind: kind.to_owned(),
        namespace: NAMESPACES[ns].to_owned(),
        name,
        uid: uid.to_owned(),
    };
    let target = match bits.take(2) {
        2 => None,
        3 => Some(target("ExternalWorkload", format!("vm-{}", name & 1), "")),
        _ => Some(target("Pod", format!("pod-{name}"), uid)),
    };
    let mut made = Endpoint { target_ref: target, ..made };
    match bits.take(2) {
        2 => {}
        3 => made = made.ready(false),
        _ => made = made.ready(true),
    }
    let zone = bits.take(1);
    made = made.zone(ZONES[zone]);
    if bits.take(1) == 1 {
        made = made.hostname("h-0");
    }
    match hints {
        2 => made.for_zones(&[ZONES[zone]]),
        3 => made.for_zones(&[ZONES[zone]]).for_nodes(&[NODES[name & 1]]),
        _ => made,
    }
}

pub fn a_service(event: Event) -> Service {
    let mut bits = event.bits();
    let mut made = service(&format!("svc-{}", event.name & 1)).namespace(NAMESPACES[event.ns]);
    match bits.take(3) {
        5 => made = made.port("http", 80).port("alt", 81),
        6 => {}
        7 => {
            made = made.port("dns", 80).port("http", 80);
            made.spec.ports[0].protocol = Protocol::Udp;
        }
        _ => made = made.port("http", 80),
    }
    if bits.one_in(2) {
        made = made.cluster_ip(&v4(bits.take(2)));
    }
    if bits.one_in(2) {
        made = made.local_traffic();
    }
    if bits.one_in(2) { made.opaque("http") } else { made }
}

pub fn a_server(event: Event) -> Server {
    let mut bits = event.bits();
    let port = if bits.take(1) == 0 { PortName::Number(8081) } else { PortName::Name("http".to_owned()) };
    let app = ["web", "other"][bits.take(1)];
    let name = format!("server-{}", event.name & 1);
    let mut made = opaque_server(&name, app, port).namespace(NAMESPACES[event.ns]);
    if bits.one_in(2) {
        made.spec.pod_selector = None;
        made.spec.external_workload_selector = Some(selector(&[("app", app)]));
    }
    made
}

pub fn a_replica_set(event: Event) -> ReplicaSet {
    let set = replica_set("set").namespace(NAMESPACES[event.ns]);
    if event.bits().take(1) == 0 { set } else { set.owner("Deployment", "web") }
}

pub fn a_node(event: Event) -> Node {
    node(NODES[usize::from(event.name & 1)], ["zone-0", "zone-1", "zone-1", ""][event.bits().take(2)])
}

/// A ServiceProfile for a Service of its own namespace or of the other.
pub fn a_profile(event: Event) -> ServiceProfile {
    let mut bits = event.bits();
    let (of, route) = (NAMESPACES[event.ns ^ bits.take(1)], format!("route-{}", bits.take(2)));
    let mut made = profile(&format!("svc-{}", event.name & 1), of, &route);
    NAMESPACES[event.ns].clone_into(&mut made.metadata.namespace);
    made
}
