//! Builders of objects for tests. Everything is in namespace `ns` unless it says otherwise.

use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, Job, LabelSelector, Meta, Node, OwnerReference, Pod, ReplicaSet, Server, Service,
    ServiceProfile,
    endpoint_slice::{AddressType, Endpoint, EndpointPort, NamedHint, TargetRef},
    external_workload::WorkloadPort,
    names::{annotation, label},
    pod::{AddressEntry, Container, ContainerPort, EnvVar, Phase, Protocol},
    policy::ProxyProtocol,
    ports::PortName,
    service::ServicePort,
    service_profile::ServiceProfileSpec,
};

/// Anything with metadata.
pub trait Named: Sized {
    fn meta_mut(&mut self) -> &mut Meta;

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn namespace(self, namespace: &str) -> Self {
        self.with(|object| namespace.clone_into(&mut object.meta_mut().namespace))
    }

    fn uid(self, uid: &str) -> Self {
        self.with(|object| uid.clone_into(&mut object.meta_mut().uid))
    }

    fn label(self, key: &str, value: &str) -> Self {
        self.with(|object| drop(object.meta_mut().labels.insert(key.to_owned(), value.to_owned())))
    }

    fn annotation(self, key: &str, value: &str) -> Self {
        self.with(|object| drop(object.meta_mut().annotations.insert(key.to_owned(), value.to_owned())))
    }

    fn opaque(self, ports: &str) -> Self {
        self.annotation(annotation::OPAQUE_PORTS, ports)
    }

    fn owner(self, kind: &str, name: &str) -> Self {
        let owner = OwnerReference { kind: kind.to_owned(), name: name.to_owned(), ..OwnerReference::default() };
        self.with(|object| object.meta_mut().owner_references.push(owner))
    }
}

macro_rules! named {
    ($($type:ty),*) => {
        $(impl Named for $type {
            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.metadata
            }
        })*
    };
}
named!(Pod, Service, EndpointSlice, Server, ExternalWorkload, ServiceProfile, Node, ReplicaSet, Job);

fn meta(name: &str) -> Meta {
    Meta { name: name.to_owned(), namespace: "ns".to_owned(), ..Meta::default() }
}

fn entries(ips: &[&str]) -> Vec<AddressEntry> {
    ips.iter().map(|ip| AddressEntry { ip: (*ip).to_owned() }).collect()
}

/// A running pod with service account `default` and one container `app`.
pub fn pod(name: &str) -> Pod {
    let mut pod = Pod { metadata: meta(name), ..Pod::default() };
    pod.spec.containers.push(Container { name: "app".to_owned(), ..Container::default() });
    pod.status.phase = Phase::Running;
    pod
}

pub trait PodExt: Named {
    fn ip(self, ip: &str) -> Self;
    fn host_ip(self, ip: &str) -> Self;
    fn on(self, node: &str) -> Self;
    fn phase(self, phase: Phase) -> Self;
    fn account(self, account: &str) -> Self;
    fn port(self, name: &str, port: u16) -> Self;
    fn host_port(self, name: &str, port: u16, host_port: u16) -> Self;
    fn proxy_env(self, name: &str, value: &str) -> Self;
    /// Meshed with the control plane in namespace `linkerd`, with the usual ports.
    fn meshed(self) -> Self;
}

impl PodExt for Pod {
    fn ip(self, ip: &str) -> Self {
        self.with(|pod| pod.status.pod_ips.extend(entries(&[ip])))
    }

    fn host_ip(self, ip: &str) -> Self {
        self.with(|pod| pod.status.host_ips.extend(entries(&[ip])))
    }

    fn on(self, node: &str) -> Self {
        self.with(|pod| node.clone_into(&mut pod.spec.node_name))
    }

    fn phase(self, phase: Phase) -> Self {
        self.with(|pod| pod.status.phase = phase)
    }

    fn account(self, account: &str) -> Self {
        self.with(|pod| account.clone_into(&mut pod.spec.service_account_name))
    }

    fn port(self, name: &str, port: u16) -> Self {
        self.host_port(name, port, 0)
    }

    fn host_port(self, name: &str, port: u16, host_port: u16) -> Self {
        let port = ContainerPort { name: name.to_owned(), container_port: port, host_port, ..ContainerPort::default() };
        self.with(|pod| pod.spec.containers[0].ports.push(port))
    }

    fn proxy_env(self, name: &str, value: &str) -> Self {
        self.with(|pod| {
            let is_proxy = |container: &Container| container.name == "linkerd-proxy";
            if !pod.spec.containers.iter().any(is_proxy) {
                pod.spec.containers.push(Container { name: "linkerd-proxy".to_owned(), ..Container::default() });
            }
            let proxy = pod.spec.containers.iter_mut().find(|container| is_proxy(container)).unwrap();
            let name = format!("LINKERD2_PROXY_{name}_LISTEN_ADDR");
            proxy.env.retain(|variable| variable.name != name);
            proxy.env.push(EnvVar { name, value: Some(value.to_owned()) });
        })
    }

    fn meshed(self) -> Self {
        self.label(label::CONTROL_PLANE_NS, "linkerd")
            .proxy_env("INBOUND", "0.0.0.0:4143")
            .proxy_env("ADMIN", "0.0.0.0:4191")
            .proxy_env("CONTROL", "0.0.0.0:4190")
    }
}

/// A Service without ports.
pub fn service(name: &str) -> Service {
    Service { metadata: meta(name), ..Service::default() }
}

pub trait ServiceExt: Named {
    fn port(self, name: &str, port: u16) -> Self;
    fn cluster_ip(self, ip: &str) -> Self;
    fn local_traffic(self) -> Self;
    fn external_name(self) -> Self;
}

impl ServiceExt for Service {
    fn port(self, name: &str, port: u16) -> Self {
        self.with(|service| {
            service.spec.ports.push(ServicePort { name: name.to_owned(), port, ..ServicePort::default() });
        })
    }

    fn cluster_ip(self, ip: &str) -> Self {
        self.with(|service| service.spec.cluster_ips.push(ip.to_owned()))
    }

    fn local_traffic(self) -> Self {
        self.with(|service| "Local".clone_into(&mut service.spec.internal_traffic_policy))
    }

    fn external_name(self) -> Self {
        self.with(|service| "ExternalName".clone_into(&mut service.spec.type_))
    }
}

/// An IPv4 slice of a Service without endpoints.
pub fn slice(service: &str, name: &str) -> EndpointSlice {
    EndpointSlice { metadata: meta(name), ..EndpointSlice::default() }.label(label::SERVICE_NAME, service)
}

pub trait SliceExt: Named {
    fn port(self, name: &str, port: u16) -> Self;
    fn v6(self) -> Self;
    fn endpoint(self, endpoint: Endpoint) -> Self;
    /// Adds an endpoint for each of these pods.
    fn pods<'a>(self, pods: impl IntoIterator<Item = &'a Pod>) -> Self;
}

impl SliceExt for EndpointSlice {
    fn port(self, name: &str, port: u16) -> Self {
        let port = EndpointPort { name: name.to_owned(), port: Some(port), protocol: Protocol::Tcp };
        self.with(|slice| slice.ports.push(port))
    }

    fn v6(self) -> Self {
        self.with(|slice| slice.address_type = AddressType::IPv6)
    }

    fn endpoint(self, endpoint: Endpoint) -> Self {
        self.with(|slice| slice.endpoints.push(endpoint))
    }

    fn pods<'a>(self, pods: impl IntoIterator<Item = &'a Pod>) -> Self {
        pods.into_iter().fold(self, |slice, pod| slice.endpoint(of_pod(pod)))
    }
}

/// An endpoint with an address and nothing else.
pub fn bare(ip: &str) -> Endpoint {
    Endpoint { addresses: vec![ip.to_owned()], ..Endpoint::default() }
}

/// The endpoint of a pod, at its first address.
pub fn of_pod(pod: &Pod) -> Endpoint {
    let ip = pod.status.pod_ips.first().map(|entry| entry.ip.clone()).unwrap_or_default();
    bare(&ip).target("Pod", &pod.metadata)
}

/// The endpoint of an external workload, at its first address.
pub fn of_external(workload: &ExternalWorkload) -> Endpoint {
    bare(&workload.spec.workload_ips[0].ip).target("ExternalWorkload", &workload.metadata)
}

pub trait EndpointExt: Sized {
    fn target(self, kind: &str, of: &Meta) -> Self;
    fn at(self, ip: &str) -> Self;
    fn ready(self, ready: bool) -> Self;
    fn hostname(self, hostname: &str) -> Self;
    fn zone(self, zone: &str) -> Self;
    fn for_zones(self, zones: &[&str]) -> Self;
    fn for_nodes(self, nodes: &[&str]) -> Self;
}

fn hints(names: &[&str]) -> Vec<NamedHint> {
    names.iter().map(|name| NamedHint { name: (*name).to_owned() }).collect()
}

impl EndpointExt for Endpoint {
    fn target(mut self, kind: &str, of: &Meta) -> Self {
        let (namespace, name, uid) = (of.namespace.clone(), of.name.clone(), of.uid.clone());
        self.target_ref = Some(TargetRef { kind: kind.to_owned(), namespace, name, uid });
        self
    }

    fn at(mut self, ip: &str) -> Self {
        self.addresses = vec![ip.to_owned()];
        self
    }

    fn ready(mut self, ready: bool) -> Self {
        self.conditions.ready = Some(ready);
        self
    }

    fn hostname(mut self, hostname: &str) -> Self {
        hostname.clone_into(&mut self.hostname);
        self
    }

    fn zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    fn for_zones(mut self, zones: &[&str]) -> Self {
        self.hints.for_zones = hints(zones);
        self
    }

    fn for_nodes(mut self, nodes: &[&str]) -> Self {
        self.hints.for_nodes = hints(nodes);
        self
    }
}

/// A node in a zone.
pub fn node(name: &str, zone: &str) -> Node {
    let metadata = Meta { name: name.to_owned(), ..Meta::default() };
    Node { metadata }.label(label::TOPOLOGY_ZONE, zone)
}

pub fn replica_set(name: &str) -> ReplicaSet {
    ReplicaSet { metadata: meta(name) }
}

pub fn job(name: &str) -> Job {
    Job { metadata: meta(name) }
}

pub fn selector(labels: &[(&str, &str)]) -> LabelSelector {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    LabelSelector { match_labels: labels.collect(), ..LabelSelector::default() }
}

/// A Server that makes a port of the pods with label `app: <app>` opaque.
pub fn opaque_server(name: &str, app: &str, port: PortName) -> Server {
    let mut server = Server { metadata: meta(name), ..Server::default() };
    server.spec.pod_selector = Some(selector(&[("app", app)]));
    server.spec.port = port;
    server.spec.proxy_protocol = ProxyProtocol::Opaque;
    server
}

/// An external workload with an address and a port.
pub fn external(name: &str, ip: &str, port: u16) -> ExternalWorkload {
    let mut workload = ExternalWorkload { metadata: meta(name), ..ExternalWorkload::default() };
    workload.spec.workload_ips = entries(&[ip]);
    workload.spec.ports = vec![WorkloadPort { name: "app".to_owned(), port, ..WorkloadPort::default() }];
    workload.spec.mesh_tls.identity = format!("spiffe://trust.domain/{name}");
    workload.spec.mesh_tls.server_name = format!("{name}.example.com");
    workload
}

/// A ServiceProfile for a Service of the domain `mycluster.local`, with one route.
pub fn profile(service: &str, namespace: &str, route: &str) -> ServiceProfile {
    let spec = serde_json::json!({"routes": [{"name": route, "condition": {"pathRegex": format!("/{route}")}}]});
    let metadata = meta(&format!("{service}.{namespace}.svc.mycluster.local"));
    ServiceProfile { metadata, spec: ServiceProfileSpec::read(&spec) }.namespace(namespace)
}
