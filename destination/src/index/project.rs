//! From Kubernetes objects to the facts that are kept of them.

use super::intern::{Fresh, Interner};
use crate::core::{
    filter::Hints,
    key::Key,
    member::{MAX_MEMBERS, Member, RemoteMembers},
    port::{ServicePort, SlicePort},
    server::OpaqueServer,
    service::{Discovery, Mirror, Service, Slice, SliceAddress, Target},
    workload::{ContainerPort, External, ExternalPort, Labels, Owner, Pod, ProxyPorts, Stage, Template},
};
use linkerd_k8s::{
    self as k8s, Meta, OwnerReference, PortSet, Resource,
    endpoint_slice::{AddressType, Endpoint, TargetRef},
    names::{annotation, label},
    pod::{Phase, Protocol},
    policy::ProxyProtocol,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Projects objects; what they share is kept once.
#[derive(Debug, Default)]
pub struct Projector {
    text: Interner<str>,
    labels: Interner<Labels>,
    templates: Interner<Template>,
    hints: Interner<Hints>,
}

impl Projector {
    /// A shared text.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        self.text.share(text)
    }

    /// The name of an object.
    pub fn key(&mut self, namespace: &str, name: &str) -> Key {
        Key { namespace: self.text(namespace), name: self.text(name) }
    }

    /// Texts and templates that are kept.
    pub fn sizes(&self) -> (usize, usize) {
        (self.text.len(), self.templates.len())
    }

    /// What is kept of a pod.
    pub fn pod(&mut self, pod: &k8s::Pod) -> Pod {
        let stage = match (pod.status.phase, pod.is_ended()) {
            (Phase::Running, false) => Stage::Running,
            (Phase::Running, true) => Stage::Ending,
            (_, true) => Stage::Ended,
            (_, false) => Stage::Waiting,
        };
        let (ips, mut host_ips) = (addresses(pod.ips()), addresses(pod.host_ips()));
        let node = self.text(&pod.spec.node_name);
        let (namespace, name) = (self.text(&pod.metadata.namespace), self.text(&pod.metadata.name));
        let uid = self.text(&pod.metadata.uid);
        let labels = self.labels_of(&pod.metadata);
        let (labels, template) = (self.labels.share(Fresh(labels)), self.template(pod));
        if template.ports.iter().all(|port| port.host_port == 0) {
            host_ips = Box::default();
        }
        Pod { namespace, name, uid, node, ips, host_ips, stage, labels, template }
    }

    fn labels_of(&mut self, metadata: &Meta) -> Labels {
        metadata.labels.iter().map(|(key, value)| (self.text(key), self.text(value))).collect()
    }

    fn template(&mut self, pod: &k8s::Pod) -> Arc<Template> {
        let host_network = pod.spec.host_network;
        let declared = pod.containers().flat_map(|container| &container.ports);
        let ports = declared.map(|port| ContainerPort {
            name: self.text(&port.name),
            port: port.container_port,
            // The API server defaults this; manifests may lack it.
            host_port: if host_network && port.host_port == 0 { port.container_port } else { port.host_port },
        });
        let ports: Box<[ContainerPort]> = ports.collect();
        let named = |name: &str| -> Vec<u16> {
            ports.iter().filter(|port| &*port.name == name).map(|port| port.port).collect()
        };
        let opaque = port_annotation::<k8s::Pod>(&pod.metadata, annotation::OPAQUE_PORTS, named);
        let skipped = port_annotation::<k8s::Pod>(&pod.metadata, annotation::SKIP_INBOUND_PORTS, |_| Vec::new());
        let template = Template {
            service_account: self.text(pod.service_account()),
            mesh: self.text(pod.metadata.label(label::CONTROL_PLANE_NS).unwrap_or_default()),
            template_hash: self.text(pod.metadata.label(label::POD_TEMPLATE_HASH).unwrap_or_default()),
            owner: self.only_owner(&pod.metadata.owner_references),
            host_network,
            opaque,
            skipped: skipped.unwrap_or_default(),
            proxy: proxy_ports(pod),
            ports,
        };
        self.templates.share(Fresh(template))
    }

    /// The only owner, if there is exactly one.
    pub fn only_owner(&mut self, owners: &[OwnerReference]) -> Option<Owner> {
        let [owner] = owners else { return None };
        Some(Owner { kind: self.text(&owner.kind), name: self.text(&owner.name), uid: self.text(&owner.uid) })
    }

    /// What is kept of an external workload.
    pub fn external(&mut self, workload: &k8s::ExternalWorkload) -> External {
        let (metadata, spec) = (&workload.metadata, &workload.spec);
        let ports = spec.ports.iter().map(|port| ExternalPort { name: self.text(&port.name), port: port.port });
        let ports: Box<[ExternalPort]> = ports.collect();
        let named = |name: &str| -> Vec<u16> {
            ports.iter().filter(|port| &*port.name == name).map(|port| port.port).collect()
        };
        External {
            namespace: self.text(&metadata.namespace),
            name: self.text(&metadata.name),
            uid: self.text(&metadata.uid),
            ips: addresses(workload.ips()),
            owner: self.only_owner(&metadata.owner_references),
            opaque: port_annotation::<k8s::ExternalWorkload>(metadata, annotation::OPAQUE_PORTS, named),
            identity: self.text(&spec.mesh_tls.identity),
            server_name: self.text(&spec.mesh_tls.server_name),
            labels: self.labels_of(metadata),
            ports,
        }
    }

    /// What is kept of a Service.
    pub fn service(&mut self, service: &k8s::Service) -> Service {
        let ports = service.spec.ports.iter().map(|port| ServicePort {
            name: self.text(&port.name),
            number: port.port,
            is_tcp: port.protocol == Protocol::Tcp,
        });
        let ports: Box<[ServicePort]> = ports.collect();
        let named = |name: &str| -> Vec<u16> {
            ports.iter().filter(|port| &*port.name == name).map(|port| port.number).collect()
        };
        Service {
            cluster_ips: addresses(service.cluster_ips()),
            is_external_name: service.is_external_name(),
            same_node_only: service.spec.internal_traffic_policy == "Local",
            opaque: port_annotation::<k8s::Service>(&service.metadata, annotation::OPAQUE_PORTS, named),
            discovery: self.discovery(&service.metadata),
            ports,
        }
    }

    fn discovery(&mut self, metadata: &Meta) -> Discovery {
        let (local, remote) =
            (metadata.annotation(annotation::FEDERATED_LOCAL), metadata.annotation(annotation::FEDERATED_REMOTE));
        if local.or(remote).is_some() {
            return Discovery::Federated { members: self.members(local, remote) };
        }
        match metadata.label(label::REMOTE_DISCOVERY) {
            None => Discovery::Local,
            Some(cluster) => Discovery::Remote {
                cluster: self.text(cluster),
                service: metadata
                    .label(label::REMOTE_SERVICE)
                    .filter(|service| !service.is_empty())
                    .map(|service| self.text(service)),
            },
        }
    }

    fn members(&mut self, local: Option<&str>, remote: Option<&str>) -> Box<[Member]> {
        let local = local.map(str::trim).filter(|service| !service.is_empty());
        let local = local.map(|service| Member { cluster: None, service: self.text(service) });
        let remote = RemoteMembers::parse(remote.unwrap_or_default()).members.into_iter();
        let remote =
            remote.map(|(service, cluster)| Member { cluster: Some(self.text(cluster)), service: self.text(service) });
        let mut members: Vec<Member> = local.into_iter().chain(remote).collect();
        // However they are written, the same members are the same Service.
        members.sort_unstable();
        members.dedup();
        members.truncate(MAX_MEMBERS);
        members.into()
    }

    /// What is kept of a slice; nothing of one that belongs to no Service.
    pub fn slice(&mut self, slice: &k8s::EndpointSlice) -> Option<Slice> {
        let Some(service) = slice.service_name() else {
            tracing::error!(slice = %slice.id(), "EndpointSlice belongs to no Service and is ignored");
            return None;
        };
        let service = self.text(service);
        let namespace = self.text(&slice.metadata.namespace);
        let is_served = matches!(slice.address_type, AddressType::IPv4 | AddressType::IPv6);
        let endpoints = slice.endpoints.iter().filter(|_| is_served);
        let addresses: Box<[_]> = endpoints.flat_map(|endpoint| self.endpoint(endpoint, &namespace)).collect();
        if is_served && addresses.is_empty() && !slice.endpoints.is_empty() {
            tracing::warn!(slice = %slice.id(), "no endpoint of an EndpointSlice can be used; correct its addresses");
        }
        let ports = slice.ports.iter().map(|port| SlicePort { name: self.text(&port.name), number: port.port });
        Some(Slice { service, ports: ports.collect(), addresses, mirror: self.mirror(&slice.metadata) })
    }

    fn endpoint(&mut self, endpoint: &Endpoint, namespace: &Arc<str>) -> Vec<SliceAddress> {
        let Some(target) = self.target(endpoint.target_ref.as_ref(), namespace) else { return Vec::new() };
        let mut ips: Vec<IpAddr> = endpoint.addresses.iter().filter_map(|ip| parse_ip(ip)).collect();
        if target != Target::Bare && ips.len() > 1 {
            // One object has one address of a family.
            ips.drain(..ips.len() - 1);
        }
        let (hostname, zone, hints) = (self.text(&endpoint.hostname), self.text(&endpoint.zone), self.hints(endpoint));
        let address = |ip| SliceAddress {
            ip,
            is_ready: endpoint.is_ready(),
            hostname: hostname.clone(),
            zone: zone.clone(),
            hints: hints.clone(),
            target: target.clone(),
        };
        ips.into_iter().map(address).collect()
    }

    /// An endpoint of an unknown kind is none.
    fn target(&mut self, target: Option<&TargetRef>, namespace: &Arc<str>) -> Option<Target> {
        let Some(target) = target else { return Some(Target::Bare) };
        match target.kind.as_str() {
            "Pod" => Some(Target::Pod(self.key(&target.namespace, &target.name), self.text(&target.uid))),
            "ExternalWorkload" => {
                let key = Key { namespace: namespace.clone(), name: self.text(&target.name) };
                Some(Target::External(key, self.text(&target.uid)))
            }
            kind => {
                tracing::debug!(kind, name = target.name, "endpoint with a target of unknown kind is ignored");
                None
            }
        }
    }

    fn hints(&mut self, endpoint: &Endpoint) -> Option<Arc<Hints>> {
        let hints = &endpoint.hints;
        if hints.for_zones.is_empty() && hints.for_nodes.is_empty() {
            return None;
        }
        let zones = hints.for_zones.iter().map(|hint| self.text(&hint.name)).collect();
        let nodes = hints.for_nodes.iter().map(|hint| self.text(&hint.name)).collect();
        Some(self.hints.share(Fresh(Hints { zones, nodes })))
    }

    fn mirror(&mut self, metadata: &Meta) -> Option<Box<Mirror>> {
        let cluster = metadata.label(label::MIRROR_CLUSTER_NAME);
        let identity = metadata.annotation(annotation::REMOTE_GATEWAY_IDENTITY);
        let service = metadata.annotation(annotation::REMOTE_SVC_FQ_NAME);
        cluster.or(identity).or(service)?;
        let mut text = |text: Option<&str>| self.text(text.unwrap_or_default());
        Some(Box::new(Mirror { cluster: text(cluster), gateway_identity: text(identity), service: text(service) }))
    }
}

/// What is kept of a Server; nothing of one that makes no port opaque.
pub fn opaque_server(server: k8s::Server) -> Option<OpaqueServer> {
    let spec = server.spec;
    let is_opaque = spec.proxy_protocol == ProxyProtocol::Opaque;
    let server = OpaqueServer { pods: spec.pod_selector, externals: spec.external_workload_selector, port: spec.port };
    is_opaque.then_some(server)
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    let ip = text.parse::<IpAddr>().ok();
    if ip.is_none() {
        tracing::debug!(address = text, "endpoint address cannot be read and is ignored");
    }
    ip.map(|ip| ip.to_canonical())
}

fn addresses(ips: impl Iterator<Item = IpAddr>) -> Box<[IpAddr]> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in ips.map(|ip| ip.to_canonical()) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    addresses.into()
}

fn port_annotation<T: Resource>(metadata: &Meta, key: &str, named: impl Fn(&str) -> Vec<u16>) -> Option<PortSet> {
    let text = metadata.annotation(key)?;
    let mut invalid = Vec::new();
    let ports = PortSet::parse_lenient(text, named, |error| invalid.push(error));
    // One line, however many there are: an annotation may hold 100,000 of them.
    if let Some(first) = invalid.first() {
        let (namespace, name, ignored) = (&metadata.namespace, &metadata.name, invalid.len());
        let kind = T::KIND;
        tracing::warn!(kind, namespace, name, annotation = key, ignored, %first, "ports are ignored; correct them");
    }
    Some(ports)
}

/// Ports on which a proxy listens, from the addresses that its container is given.
fn proxy_ports(pod: &k8s::Pod) -> ProxyPorts {
    let Some(proxy) = pod.proxy() else { return ProxyPorts::default() };
    let port = |name: &str| proxy.variable(name)?.parse::<SocketAddr>().ok().map(|address| address.port());
    ProxyPorts {
        inbound: port("LINKERD2_PROXY_INBOUND_LISTEN_ADDR"),
        admin: port("LINKERD2_PROXY_ADMIN_LISTEN_ADDR"),
        control: port("LINKERD2_PROXY_CONTROL_LISTEN_ADDR"),
    }
}
