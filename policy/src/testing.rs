//! Builders of objects and a configuration, for tests.

pub(crate) mod random;

use crate::{
    config::Config,
    core::{
        outbound::ServicePort,
        workload::{WorkloadId, WorkloadKey, WorkloadKind},
    },
    index::outbound::{Target, TargetKey},
};
use linkerd_k8s::{
    ExternalWorkload, ObjectId, Pod, Resource, Server, Service,
    policy::{AccessPolicy, AuthorizationPolicy, MeshTlsAuthentication, NetworkAuthentication, ServerAuthorization},
};
use serde_json::{Value, json};
use std::marker::PhantomData;

/// A configuration with probe networks, as charts install it.
pub(crate) fn config() -> Config {
    Config {
        default_policy: AccessPolicy::AllUnauthenticated,
        cluster_networks: vec!["10.0.0.0/8".parse().unwrap()],
        probe_networks: vec!["0.0.0.0/0".parse().unwrap()],
        identity_domain: "cluster.local".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
        control_plane_namespace: "linkerd".to_owned(),
        default_opaque_ports: "25,587".parse().unwrap(),
        allow_l5d_request_headers: false,
    }
}

/// An object under construction, in namespace `n` unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Build<T> {
    pub(crate) json: Value,
    kind: PhantomData<T>,
}

impl<T: Resource> Build<T> {
    fn new(name: &str, spec: Value) -> Self {
        let api_version = format!("{}/{}", T::GROUP, T::VERSION);
        let json = json!({
            "apiVersion": api_version.trim_start_matches('/'), "kind": T::KIND,
            "metadata": {"name": name, "namespace": "n"}, "spec": spec,
        });
        Self { json, kind: PhantomData }
    }

    pub(crate) fn namespace(mut self, namespace: &str) -> Self {
        self.json["metadata"]["namespace"] = namespace.into();
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.json["metadata"]["labels"][key] = value.into();
        self
    }

    pub(crate) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.json["metadata"]["annotations"][key] = value.into();
        self
    }

    /// Created this many seconds after some time.
    pub(crate) fn created(mut self, second: u32) -> Self {
        self.json["metadata"]["creationTimestamp"] =
            format!("2024-01-01T00:{:02}:{:02}Z", second / 60, second % 60).into();
        self
    }

    pub(crate) fn spec(mut self, field: &str, value: Value) -> Self {
        self.json["spec"][field] = value;
        self
    }

    pub(crate) fn without(mut self, field: &str) -> Self {
        self.json["spec"].as_object_mut().unwrap().remove(field);
        self
    }

    pub(crate) fn done(&self) -> T {
        serde_json::from_value(self.json.clone()).unwrap()
    }
}

/// A pod with a proxy and the label `app`.
pub(crate) fn pod(name: &str) -> Build<Pod> {
    Build::new(name, json!({"containers": []})).label("linkerd.io/control-plane-ns", "linkerd").label("app", name)
}

impl Build<Pod> {
    /// Adds a container with these ports, as name and number, and this readiness probe.
    pub(crate) fn container(mut self, ports: &[(&str, u16)], probe: Option<Value>) -> Self {
        let ports: Vec<Value> =
            ports.iter().map(|(name, number)| json!({"name": name, "containerPort": number})).collect();
        let container =
            json!({"name": "c", "ports": ports, "readinessProbe": probe.map(|get| json!({"httpGet": get}))});
        self.json["spec"]["containers"].as_array_mut().unwrap().push(container);
        self
    }
}

pub(crate) fn external_workload(name: &str) -> Build<ExternalWorkload> {
    let spec = json!({"meshTLS": {"identity": "x", "serverName": "x"}, "ports": [{"name": "http", "port": 8080}]});
    Build::new(name, spec).label("app", name)
}

/// A Server of the pods with this label `app`.
pub(crate) fn server(name: &str, app: &str, port: Value) -> Build<Server> {
    Build::new(name, json!({"podSelector": {"matchLabels": {"app": app}}, "port": port}))
}

pub(crate) fn server_authorization(name: &str, server: Value, client: Value) -> Build<ServerAuthorization> {
    Build::new(name, json!({"server": server, "client": client}))
}

/// A policy for a Server of its namespace.
pub(crate) fn authorization_policy(name: &str, server: &str, authentications: Value) -> Build<AuthorizationPolicy> {
    let target = json!({"group": "policy.linkerd.io", "kind": "Server", "name": server});
    Build::new(name, json!({"targetRef": target, "requiredAuthenticationRefs": authentications}))
}

pub(crate) fn mesh_tls(name: &str, identities: Value) -> Build<MeshTlsAuthentication> {
    Build::new(name, json!({"identities": identities}))
}

pub(crate) fn networks(name: &str, cidr: &str) -> Build<NetworkAuthentication> {
    Build::new(name, json!({"networks": [{"cidr": cidr}]}))
}

/// A reference to an authentication.
pub(crate) fn authentication(kind: &str, name: &str, namespace: &str) -> Value {
    let group = if kind == "ServiceAccount" { "" } else { "policy.linkerd.io" };
    json!({"group": group, "kind": kind, "name": name, "namespace": namespace})
}

/// A Service with this cluster address and one port.
pub(crate) fn service(name: &str, ip: &str, port: u16) -> Build<Service> {
    Build::new(name, json!({"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": port}]}))
}

pub(crate) fn workload(namespace: &str, kind: WorkloadKind, name: &str) -> WorkloadId {
    WorkloadId { namespace: namespace.into(), key: WorkloadKey { kind, name: name.into() } }
}

/// An address, as a client in a namespace sends to it.
pub(crate) fn address(client: &str, address: &str) -> TargetKey {
    TargetKey { client: client.into(), target: Target::Address(address.parse().unwrap()) }
}

/// A Service of namespace `n`, as a client in a namespace sends to it by name.
pub(crate) fn authority(client: &str, service: &str, port: u16) -> TargetKey {
    let service = ObjectId::new("n", service);
    TargetKey { client: client.into(), target: Target::Service(ServicePort { service, port }) }
}
