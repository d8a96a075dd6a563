//! Random events over a small world, so that objects meet often.

use super::{
    Build, authorization_policy, external_workload, mesh_tls, networks, pod, server, server_authorization, service,
};
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

/// An object that is so now, or is gone.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) id: ObjectId,
    /// The object, which need not be decodable.
    pub(crate) object: Option<Value>,
}

/// Tells an index of an event, as a watch does, if the event is of this kind.
pub(crate) fn feed<T: Resource, I: Sink<T>>(index: &mut I, event: &Event) {
    if event.kind != T::KIND {
        return;
    }
    match event.object.as_ref().and_then(|object| serde_json::from_value(object.clone()).ok()) {
        Some(object) => Sink::<T>::apply(index, object),
        None => Sink::<T>::delete(index, &event.id),
    }
}

pub(crate) const NAMESPACES: [&str; 2] = ["n", "m"];
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

fn name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

/// One of some values, or none at all.
fn maybe(values: impl IntoIterator<Item = Value>) -> impl Strategy<Value = Option<Value>> {
    let values: Vec<Option<Value>> = values.into_iter().map(Some).chain([None]).collect();
    select(values)
}

/// Puts an object into a namespace at a time, or deletes it.
fn event<T: Resource>(objects: impl Strategy<Value = Build<T>>) -> impl Strategy<Value = Event> {
    (objects, select(&NAMESPACES[..]), 0..3_u32, prop::bool::weighted(0.3)).prop_map(
        |(object, namespace, second, is_gone)| {
            let object = object.namespace(namespace).created(second).json;
            let id = ObjectId::new(namespace, object["metadata"]["name"].as_str().unwrap());
            Event { kind: T::KIND, id, object: (!is_gone).then_some(object) }
        },
    )
}

fn with<T: Resource>(object: Build<T>, field: &str, value: Option<Value>) -> Build<T> {
    match value {
        Some(value) => object.spec(field, value),
        None => object,
    }
}

fn port() -> impl Strategy<Value = Value> {
    select(vec![json!(80), json!(81), json!("http"), json!("admin")])
}

/// Events of all kinds that inbound policy is made of.
pub(crate) fn inbound_event() -> impl Strategy<Value = Event> {
    let annotations = maybe([json!("deny"), json!("audit"), json!("bogus")]);
    let pods =
        (name(), name(), annotations, any::<bool>(), 80..83_u16).prop_map(|(name, app, policy, opaque, http)| {
            let mut object = pod(name).label("app", app).container(&[("http", http)], Some(json!({"port": "http"})));
            if let Some(policy) = policy {
                object = object.annotation("config.linkerd.io/default-inbound-policy", policy.as_str().unwrap());
            }
            if opaque { object.annotation("config.linkerd.io/opaque-ports", "80") } else { object }
        });
    let workloads = (name(), 80..82_u16)
        .prop_map(|(name, port)| external_workload(name).spec("ports", json!([{"name": "http", "port": port}])));
    let protocols = maybe(["HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS", "garbanzo"].map(Value::from));
    let access = maybe([json!("audit"), json!("cluster-authenticated"), json!("foobar")]);
    let servers = (name(), name(), port(), protocols, access, any::<bool>());
    let servers = servers.prop_map(|(name, app, port, protocol, access, is_external)| {
        let object = with(with(server(name, app, port), "proxyProtocol", protocol), "accessPolicy", access);
        let object = object.label("app", app);
        if !is_external {
            return object;
        }
        object.without("podSelector").spec("externalWorkloadSelector", json!({"matchLabels": {"app": app}}))
    });
    prop_oneof![
        4 => event(pods),
        1 => event(workloads),
        4 => event(servers),
        2 => event(server_authorizations()),
        4 => event(policies()),
        2 => event(meshtls_authentications()),
        2 => event(network_authentications()),
    ]
}

fn server_authorizations() -> impl Strategy<Value = Build<linkerd_k8s::policy::ServerAuthorization>> {
    let servers = prop_oneof![
        name().prop_map(|name| json!({"name": name})),
        name().prop_map(|app| json!({"selector": {"matchLabels": {"app": app}}})),
        Just(json!({})),
    ];
    let clients = select(vec![
        json!({"unauthenticated": true}),
        json!({"networks": [{"cidr": "10.0.0.0/8"}]}),
        json!({"meshTLS": {"identities": ["*.x"]}, "networks": [{"cidr": "::/0", "except": ["fd00::/8"]}]}),
        json!({"meshTLS": {"unauthenticatedTLS": true}}),
    ]);
    (name(), servers, clients).prop_map(|(name, server, client)| server_authorization(name, server, client))
}

fn policies() -> impl Strategy<Value = Build<linkerd_k8s::policy::AuthorizationPolicy>> {
    let reference = (
        select(vec!["MeshTLSAuthentication", "NetworkAuthentication", "ServiceAccount", "Server"]),
        name(),
        select(&NAMESPACES[..]),
    );
    let reference = reference.prop_map(|(kind, name, namespace)| super::authentication(kind, name, namespace));
    let references = prop::collection::vec(reference, 0..3);
    let targets = maybe([
        json!({"kind": "Namespace", "name": "n"}),
        json!({"group": "core", "kind": "namespace", "name": "m"}),
        json!({"kind": "Pod", "name": "a"}),
    ]);
    (name(), name(), references, targets).prop_map(|(name, server, references, target)| {
        with(authorization_policy(name, server, references.into()), "targetRef", target)
    })
}

fn meshtls_authentications() -> impl Strategy<Value = Build<linkerd_k8s::policy::MeshTlsAuthentication>> {
    let identities = select(vec![json!([]), json!(["*"]), json!(["a.b", "*.c"]), json!(7)]);
    (name(), identities).prop_map(|(name, identities)| mesh_tls(name, identities))
}

fn network_authentications() -> impl Strategy<Value = Build<linkerd_k8s::policy::NetworkAuthentication>> {
    (name(), select(vec!["10.0.0.0/8", "1.2.3.4", "::/0", "bogus"])).prop_map(|(name, cidr)| networks(name, cidr))
}

/// Events of Services: three names, and three cluster addresses that they take from each other.
pub(crate) fn service_event() -> impl Strategy<Value = Event> {
    let ips = select(vec!["10.0.0.1", "10.0.0.2", "10.0.0.3", "None", "1.1.1.1"]);
    let protocols = maybe(["http", "kubernetes.io/h2c", "grpc"].map(Value::from));
    let annotations = [
        ("config.linkerd.io/opaque-ports", "80"),
        ("timeout.linkerd.io/request", "5s"),
        ("retry.linkerd.io/http", "5xx,404"),
        ("retry.linkerd.io/limit", "bogus"),
        ("balancer.linkerd.io/failure-accrual", "unified"),
        ("balancer.linkerd.io/failure-accrual", "consecutive"),
        ("balancer.linkerd.io/failure-accrual-consecutive-min-penalty", "0s"),
        ("balancer.alpha.linkerd.io/failure-accrual-success-rate-window", "5ms"),
        ("balancer.alpha.linkerd.io/penalize-failures", "true"),
        ("balancer.alpha.linkerd.io/load-biaser-penalty", "50d"),
    ];
    let annotations = prop::collection::vec(select(annotations.to_vec()), 0..4);
    let services = (name(), ips, 80..82_u16, protocols, annotations);
    event(services.prop_map(|(name, ip, port, protocol, annotations)| {
        let object = service(name, ip, port).spec("ports", json!([{"port": port, "appProtocol": protocol}]));
        annotations.into_iter().fold(object, |object, (key, value)| object.annotation(key, value))
    }))
}
