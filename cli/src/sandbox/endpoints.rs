//! The EndpointSlices that a cluster would write for Services with selectors.

use super::addresses::uid;
use linkerd_destination::external_slices;
use linkerd_k8s::{ExternalWorkload, Pod, Resource, Service, names::label, pod::Protocol, ports::PortName};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What stands behind Services.
pub struct Backends<'a> {
    /// All pods.
    pub pods: &'a [Pod],
    /// All external workloads.
    pub external_workloads: &'a [ExternalWorkload],
}

type Ports = Vec<(String, u16, Protocol)>;

/// The slices of one Service: one for each set of port numbers that its pods or external workloads have.
pub fn slices(service: &Service, backends: &Backends<'_>) -> Vec<Value> {
    let Some(selector) = service.spec.selector.as_ref().filter(|selector| !selector.is_empty()) else {
        return Vec::new();
    };
    if service.is_external_name() {
        return Vec::new();
    }
    let selects = |meta: &linkerd_k8s::Meta| {
        meta.namespace == service.metadata.namespace
            && selector.iter().all(|(key, value)| meta.labels.get(key) == Some(value))
    };
    let mut pods: BTreeMap<Ports, Vec<Value>> = BTreeMap::new();
    for pod in backends.pods.iter().filter(|pod| selects(&pod.metadata) && !pod.is_ended()) {
        if let Some(endpoint) = pod_endpoint(pod, service) {
            pods.entry(ports(service, |port| pod_port(pod, port))).or_default().push(endpoint);
        }
    }
    let of_pods: Vec<Value> =
        pods.iter().enumerate().map(|(i, (ports, endpoints))| slice(service, i, ports, endpoints)).collect();
    // These a cluster gets from the destination service itself.
    let of_workloads = external_slices::made_of(service, backends.external_workloads);
    let first = of_pods.len();
    let named = of_workloads.into_iter().enumerate().map(|(i, slice)| named(service, first + i, slice));
    of_pods.into_iter().chain(named).collect()
}

/// Gives a slice the name and the UID that the API server would draw.
fn named(service: &Service, index: usize, mut slice: Value) -> Value {
    let name = format!("{}-{index}", service.metadata.name);
    slice["metadata"]["uid"] = uid("EndpointSlice", &service.metadata.namespace, &name).into();
    slice["metadata"]["name"] = name.into();
    slice
}

fn slice(service: &Service, index: usize, ports: &Ports, endpoints: &[Value]) -> Value {
    let meta = service.meta();
    let mut labels = meta.labels.clone();
    labels.insert(label::SERVICE_NAME.to_owned(), meta.name.clone());
    labels.insert(label::ENDPOINT_SLICE_MANAGED_BY.to_owned(), "endpointslice-controller.k8s.io".to_owned());
    let ports: Vec<_> = ports
        .iter()
        .map(|(name, port, protocol)| json!({"name": name, "port": port, "protocol": protocol_name(*protocol)}))
        .collect();
    let object = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "namespace": meta.namespace,
            "labels": labels,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": meta.name, "uid": meta.uid, "controller": true}],
        },
        "ports": ports,
        "endpoints": endpoints,
    });
    named(service, index, object)
}

/// The ports that a backend serves of a Service, in the Service's order.
fn ports(service: &Service, resolve: impl Fn(&linkerd_k8s::service::ServicePort) -> Option<u16>) -> Ports {
    service.spec.ports.iter().filter_map(|port| Some((port.name.clone(), resolve(port)?, port.protocol))).collect()
}

fn pod_port(pod: &Pod, port: &linkerd_k8s::service::ServicePort) -> Option<u16> {
    match port.target_port.as_ref() {
        None => Some(port.port),
        Some(PortName::Number(number)) => Some(*number),
        Some(PortName::Name(name)) => {
            let declared = pod.containers().flat_map(|container| &container.ports);
            let mut named = declared.filter(|known| known.name == *name && known.protocol == port.protocol);
            named.next().map(|known| known.container_port)
        }
    }
}

fn pod_endpoint(pod: &Pod, service: &Service) -> Option<Value> {
    let address = pod.ips().find(std::net::IpAddr::is_ipv4)?;
    let meta = pod.meta();
    let hostname = (pod.spec.subdomain == service.metadata.name).then_some(pod.spec.hostname.as_str());
    let mut endpoint = json!({
        "addresses": [address],
        "conditions": {"ready": pod.is_ready()},
        "nodeName": pod.spec.node_name,
        "targetRef": {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid},
    });
    if let Some(hostname) = hostname.filter(|hostname| !hostname.is_empty()) {
        endpoint["hostname"] = hostname.into();
    }
    Some(endpoint)
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
        Protocol::Tcp | Protocol::Other => "TCP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded<T: Resource>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn pod(name: &str, ip: &str, port: u16) -> Pod {
        decoded(json!({
            "metadata": {"name": name, "namespace": "n", "uid": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": port}]}]},
            "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": "True"}]},
        }))
    }

    fn service(spec: Value) -> Service {
        decoded(json!({"metadata": {"name": "web-svc", "namespace": "n"}, "spec": spec}))
    }

    #[test]
    fn pods_are_grouped_by_the_number_behind_a_named_port() {
        let pods = [pod("a", "127.64.0.1", 8080), pod("b", "127.64.0.2", 8080), pod("c", "127.64.0.3", 9090)];
        let spec = json!({"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]});
        let made = slices(&service(spec), &Backends { pods: &pods, external_workloads: &[] });
        let shape: Vec<_> = made
            .iter()
            .map(|slice| (slice["ports"][0]["port"].as_u64().unwrap(), slice["endpoints"].as_array().unwrap().len()))
            .collect();
        assert_eq!(shape, [(8080, 2), (9090, 1)]);
        assert_eq!(made[0]["endpoints"][0]["targetRef"]["uid"], "a");
    }

    #[test]
    fn a_service_without_selector_gets_no_slices() {
        let pods = [pod("a", "127.64.0.1", 8080)];
        let backends = Backends { pods: &pods, external_workloads: &[] };
        assert!(slices(&service(json!({"ports": [{"port": 80}]})), &backends).is_empty());
        let other = json!({"selector": {"app": "db"}, "ports": [{"port": 80}]});
        assert!(slices(&service(other), &backends).is_empty());
    }

    #[test]
    fn external_workloads_get_slices_of_their_own() {
        let workload: ExternalWorkload = decoded(json!({
            "metadata": {"name": "vm", "namespace": "n", "labels": {"app": "web"}},
            "spec": {"meshTLS": {"identity": "i", "serverName": "s"}, "workloadIPs": [{"ip": "127.64.9.9"}],
                     "ports": [{"name": "http", "port": 8080}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]});
        let made = slices(&service(spec), &Backends { pods: &[], external_workloads: &[workload] });
        assert_eq!(made.len(), 1);
        assert_eq!(made[0]["endpoints"][0]["targetRef"]["kind"], "ExternalWorkload");
        assert_eq!(made[0]["ports"][0]["port"], 8080);
    }
}
