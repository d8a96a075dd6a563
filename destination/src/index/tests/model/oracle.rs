//! What a stream of `Get` is to show, computed from all objects without regard to what it costs.

use super::{
    client::View,
    objects::{NAMESPACES, OPAQUE},
    told::Told,
};
use crate::core::{
    endpoint::{Endpoint, Locality, Protocol, TlsIdentity},
    filter::Entry,
};
use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, LabelSelector, ObjectId, Pod, Server, Service,
    endpoint_slice::{self, AddressType},
    names::{annotation, label},
    pod::{Phase, Protocol as Transport},
    ports::PortName,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// What a test looks at of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub of: Of,
    pub owner: Owner,
    /// Whether it has an identity; that it is the right one is checked where it is read.
    pub identity: bool,
    /// Whether its proxy is told that bytes are opaque.
    pub opaque: bool,
    pub locality: Locality,
}

/// The object behind an endpoint, by the number in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Pod(u8),
    External(u8),
    Gateway,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    None,
    Set,
    Deployment,
}

impl Summary {
    pub const NOTHING: Self =
        Self { of: Of::Nothing, owner: Owner::None, identity: false, opaque: false, locality: Locality::Unknown };

    /// What a stream of a client of a namespace was told.
    pub fn of_entry(entry: &Entry, ns: usize) -> Result<Self, String> {
        Self::of_endpoint(&entry.endpoint, entry.locality, &[NAMESPACES[ns]])
    }

    /// What was told of an endpoint, whose pod is in one of these namespaces.
    pub fn of_endpoint(endpoint: &Endpoint, locality: Locality, namespaces: &[&str]) -> Result<Self, String> {
        let number =
            |key: &str| endpoint.labels.get(key).and_then(|name| name.bytes().last()).map(|digit| digit - b'0');
        let of = match (number("pod"), number("external_workload"), &endpoint.identity) {
            (Some(pod), ..) => Of::Pod(pod),
            (None, Some(workload), _) => Of::External(workload),
            (None, None, Some(_)) => Of::Gateway,
            (None, None, None) => Of::Nothing,
        };
        let is_right = match (&endpoint.identity, of) {
            (None, _) => true,
            (Some(TlsIdentity::Workload(name)), Of::Pod(pod)) => namespaces.iter().any(|namespace| {
                **name == *format!("sa-{pod}.{namespace}.serviceaccount.identity.linkerd.trust.domain")
            }),
            (Some(TlsIdentity::External { uri, .. }), Of::External(workload)) => {
                **uri == *format!("spiffe://trust.domain/vm-{workload}")
            }
            (Some(TlsIdentity::Gateway(name)), Of::Gateway) => &**name == "gateway",
            (Some(_), _) => false,
        };
        if !is_right {
            return Err(format!("{of:?} has the identity {:?}", endpoint.identity));
        }
        let owner = match (endpoint.labels.get("deployment"), endpoint.labels.get("replicaset")) {
            (Some(_), _) => Owner::Deployment,
            (None, Some(_)) => Owner::Set,
            (None, None) => Owner::None,
        };
        let opaque = endpoint.hint.is_some_and(|hint| hint.protocol == Some(Protocol::Opaque));
        Ok(Self { of, owner, identity: endpoint.identity.is_some(), opaque, locality })
    }
}

/// An address with what decides whether a client gets it.
struct Known<'a> {
    address: SocketAddr,
    summary: Summary,
    endpoint: &'a endpoint_slice::Endpoint,
    pod: Option<&'a Pod>,
    rank: u8,
}

impl Told {
    /// What a client is to be shown.
    pub fn expected(&self, view: View) -> BTreeMap<SocketAddr, Summary> {
        let name = format!("svc-{}", view.service);
        let Some(service) = self.services.get(&ObjectId::new(NAMESPACES[view.ns], &*name)) else {
            return BTreeMap::new();
        };
        let node = self.nodes.get(&ObjectId::new("", view.node));
        let zone = node.and_then(|node| node.metadata.label(label::TOPOLOGY_ZONE)).unwrap_or_default();
        let mut known = self.known(view, &name, target(service, view.port), zone);
        filter(&mut known, service, view.node, zone);
        let with_v6: Vec<_> =
            known.iter().filter(|known| known.address.is_ipv6()).filter_map(|known| known.pod).collect();
        let name_of = |pod: &Pod| (pod.metadata.namespace.clone(), pod.metadata.name.clone());
        let is_other_family = |known: &Known<'_>| {
            known.address.is_ipv4()
                && known.pod.is_some_and(|pod| with_v6.iter().any(|other| name_of(other) == name_of(pod)))
        };
        let chosen: Vec<_> = known.into_iter().filter(|known| !is_other_family(known)).collect();
        let mut shown: BTreeMap<SocketAddr, Known<'_>> = BTreeMap::new();
        for one in chosen {
            if shown.get(&one.address).is_none_or(|other| other.rank < one.rank) {
                shown.insert(one.address, one);
            }
        }
        shown.into_iter().map(|(address, known)| (address, known.summary)).collect()
    }

    /// Every ready endpoint of a Service, in the order of slices.
    fn known(&self, view: View, service: &str, target: Target<'_>, zone: &str) -> Vec<Known<'_>> {
        let slices = self
            .slices
            .values()
            .filter(|slice| slice.metadata.namespace == NAMESPACES[view.ns] && slice.address_type != AddressType::Fqdn);
        let mut known = Vec::new();
        for slice in slices.filter(|slice| belongs_to(slice, service)) {
            let Some(port) = target.in_slice(slice) else { continue };
            let is_wanted = |endpoint: &&endpoint_slice::Endpoint| {
                endpoint.conditions.ready != Some(false)
                    && view.hostname.is_none_or(|hostname| endpoint.hostname == hostname)
            };
            for endpoint in slice.endpoints.iter().filter(is_wanted) {
                known.extend(self.one(slice, endpoint, port, zone));
            }
        }
        known
    }

    fn one<'a>(
        &'a self,
        slice: &'a EndpointSlice,
        endpoint: &'a endpoint_slice::Endpoint,
        port: u16,
        zone: &str,
    ) -> Option<Known<'a>> {
        let address = SocketAddr::new(endpoint.addresses[0].parse::<IpAddr>().unwrap(), port);
        let locality = match zone {
            "" => Locality::Unknown,
            zone if zone == endpoint.zone => Locality::Local,
            _ => Locality::Remote,
        };
        let (summary, pod, rank) = match &endpoint.target_ref {
            None => {
                let is_gateway = slice.metadata.annotation(annotation::REMOTE_GATEWAY_IDENTITY).is_some();
                let of = if is_gateway { Of::Gateway } else { Of::Nothing };
                (Summary { of, identity: is_gateway, ..Summary::NOTHING }, None, 1)
            }
            Some(target) if target.kind == "Pod" => {
                let pod = self.pods.get(&ObjectId::new(&*target.namespace, &*target.name))?;
                let uid = &pod.metadata.uid;
                if !(*uid == target.uid || uid.is_empty() || target.uid.is_empty()) {
                    return None;
                }
                let has_ended = pod.metadata.deletion_timestamp.is_some() || pod.status.phase == Phase::Failed;
                (Summary { locality, ..self.of_pod(pod, port) }, Some(pod), if has_ended { 0 } else { 2 })
            }
            Some(target) => {
                let workload = self.externals.get(&ObjectId::new(&*target.namespace, &*target.name))?;
                (Summary { locality, ..self.of_external(workload, port) }, None, 2)
            }
        };
        Some(Known { address, summary, endpoint, pod, rank })
    }

    pub fn of_pod(&self, pod: &Pod, port: u16) -> Summary {
        let is_meshed = pod.metadata.label(label::CONTROL_PLANE_NS).is_some();
        let owner = match &pod.metadata.owner_references[..] {
            [] => Owner::None,
            _ => {
                let set = self.replica_sets.get(&ObjectId::new(&*pod.metadata.namespace, "set"));
                let is_deployed = set.is_some_and(|set| !set.metadata.owner_references.is_empty());
                if is_deployed { Owner::Deployment } else { Owner::Set }
            }
        };
        let opaque = is_meshed && self.is_opaque_pod(pod, port);
        Summary { of: Of::Pod(digit(&pod.metadata.name)), owner, identity: is_meshed, opaque, ..Summary::NOTHING }
    }

    pub fn of_external(&self, workload: &ExternalWorkload, port: u16) -> Summary {
        let (of, opaque) = (Of::External(digit(&workload.metadata.name)), self.is_opaque_external(workload, port));
        Summary { of, identity: true, opaque, ..Summary::NOTHING }
    }

    pub fn is_opaque_pod(&self, pod: &Pod, port: u16) -> bool {
        let app = pod.metadata.labels.get("app");
        let by_server = self.has_opaque_server(
            &pod.metadata.namespace,
            app,
            |server| &server.spec.pod_selector,
            |name| {
                let declared = pod.spec.containers.iter().flat_map(|container| &container.ports);
                declared
                    .filter(|declared| declared.name == name)
                    .any(|declared| declared.container_port == port || declared.host_port == port)
            },
            port,
        );
        by_server || is_annotated(pod.metadata.annotation(annotation::OPAQUE_PORTS), port)
    }

    pub fn is_opaque_external(&self, workload: &ExternalWorkload, port: u16) -> bool {
        let app = workload.metadata.labels.get("app");
        let by_server = self.has_opaque_server(
            &workload.metadata.namespace,
            app,
            |server| &server.spec.external_workload_selector,
            |name| workload.spec.ports.iter().any(|declared| declared.name == name && declared.port == port),
            port,
        );
        by_server || is_annotated(workload.metadata.annotation(annotation::OPAQUE_PORTS), port)
    }

    fn has_opaque_server(
        &self,
        namespace: &str,
        app: Option<&String>,
        selector: impl Fn(&Server) -> &Option<LabelSelector>,
        has_named: impl Fn(&str) -> bool,
        port: u16,
    ) -> bool {
        self.servers.values().filter(|server| server.metadata.namespace == namespace).any(|server| {
            let selects = selector(server).as_ref().is_some_and(|selector| selector.match_labels.get("app") == app);
            selects
                && match &server.spec.port {
                    PortName::Number(number) => *number == port,
                    PortName::Name(name) => has_named(name),
                }
        })
    }
}

fn digit(name: &str) -> u8 {
    name.bytes().last().unwrap() - b'0'
}

/// Whether a port is opaque by an annotation of one port, or by default.
pub fn is_annotated(annotation: Option<&str>, port: u16) -> bool {
    annotation.unwrap_or(OPAQUE).parse() == Ok(port)
}

enum Target<'a> {
    Named(&'a str),
    Number(u16),
}

fn target(service: &Service, port: u16) -> Target<'_> {
    let named = |is_tcp: bool| {
        let mut ports = service.spec.ports.iter();
        ports.find(|listed| listed.port == port && (!is_tcp || listed.protocol == Transport::Tcp))
    };
    named(true).or_else(|| named(false)).map_or(Target::Number(port), |listed| Target::Named(&listed.name))
}

impl Target<'_> {
    fn in_slice(&self, slice: &EndpointSlice) -> Option<u16> {
        match self {
            Self::Number(_) if slice.ports.is_empty() => None,
            Self::Number(number) => Some(*number),
            Self::Named(name) => slice.ports.iter().find(|port| port.name == *name).and_then(|port| port.port),
        }
    }
}

fn belongs_to(slice: &EndpointSlice, service: &str) -> bool {
    match slice.metadata.label(label::SERVICE_NAME) {
        Some(name) => name == service,
        None => slice.metadata.owner_references.iter().any(|owner| owner.kind == "Service" && owner.name == service),
    }
}

/// Keeps what traffic policy and hints leave to a client.
fn filter(known: &mut Vec<Known<'_>>, service: &Service, node: &str, zone: &str) {
    if service.spec.internal_traffic_policy == "Local" {
        return known.retain(|known| known.pod.is_some_and(|pod| pod.spec.node_name == node));
    }
    type Hints = fn(&endpoint_slice::Endpoint) -> &[endpoint_slice::NamedHint];
    let by_node: Hints = |endpoint| &endpoint.hints.for_nodes;
    let by_zone: Hints = |endpoint| &endpoint.hints.for_zones;
    for (hints, place) in [(by_node, node), (by_zone, zone)] {
        let is_for = |known: &Known<'_>| hints(known.endpoint).iter().any(|hint| hint.name == place);
        if known.iter().all(|known| !hints(known.endpoint).is_empty()) && known.iter().any(is_for) {
            return known.retain(is_for);
        }
    }
}
