//! Slices as the Kubernetes API takes them.

use super::model::{Content, Endpoint, Family, Port, Service, Slice};
use crate::core::workload::Labels;
use linkerd_k8s::pod::Protocol;
use serde_json::{Map, Value, json};

/// A new slice of a Service, of which the API server draws the name.
pub fn new(service: &Service, family: Family, content: &Content) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("linkerd-external-{}-", service.key.name),
            "namespace": &*service.key.namespace,
            "labels": labels(&content.labels),
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": &*service.key.name, "uid": &*service.uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "addressType": match family { Family::V4 => "IPv4", Family::V6 => "IPv6" },
        "ports": ports(&content.ports),
        "endpoints": endpoints(&content.endpoints),
    })
}

/// A merge patch that makes `slice` hold `content`, and is refused when the slice is not as it was. What
/// others put beside that, such as annotations, stays.
pub fn change(slice: &Slice, content: &Content) -> Value {
    let mut changed = labels(&content.labels);
    for (key, _) in slice.content.labels.iter().filter(|(key, _)| content.labels.get(key).is_none()) {
        changed.insert(key.to_string(), Value::Null);
    }
    json!({
        "metadata": {"resourceVersion": &*slice.version, "labels": changed},
        "ports": ports(&content.ports),
        "endpoints": endpoints(&content.endpoints),
    })
}

fn labels(labels: &Labels) -> Map<String, Value> {
    labels.iter().map(|(key, value)| (key.to_string(), (**value).into())).collect()
}

fn ports(ports: &[Port]) -> Vec<Value> {
    let each = |port: &Port| {
        let mut object = json!({"port": port.number});
        if !port.name.is_empty() {
            object["name"] = (*port.name).into();
        }
        if let Some(protocol) = protocol(port.protocol) {
            object["protocol"] = protocol.into();
        }
        object
    };
    ports.iter().map(each).collect()
}

fn protocol(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Tcp => Some("TCP"),
        Protocol::Udp => Some("UDP"),
        Protocol::Sctp => Some("SCTP"),
        Protocol::Other => None,
    }
}

fn endpoints(endpoints: &[Endpoint]) -> Vec<Value> {
    endpoints.iter().map(endpoint).collect()
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let mut object = json!({
        "addresses": endpoint.addresses,
        "conditions": {
            "ready": endpoint.is_ready, "serving": endpoint.is_serving, "terminating": endpoint.is_terminating,
        },
        "targetRef": {
            "kind": "ExternalWorkload", "namespace": &*endpoint.workload.namespace,
            "name": &*endpoint.workload.name, "uid": &*endpoint.uid,
        },
    });
    for (field, text) in [("hostname", &endpoint.hostname), ("zone", &endpoint.zone)] {
        if !text.is_empty() {
            object[field] = (**text).into();
        }
    }
    object
}
