//! Numbers in comments are those of the acceptance cases of the specification.

mod authorizations;
mod demo;
mod replay;
mod servers;
mod workloads;

use super::*;
use crate::{
    core::{
        authorization::{Authentication, Authorization, AuthorizationSource},
        inbound::{Protocol, ServerSource},
        route::RouteSource,
    },
    grpc::validated_inbound,
    testing::{Build, config, workload},
};
use linkerd_controller::source::Sink;
use linkerd_k8s::policy::AccessPolicy;
use parking_lot::Mutex;
use std::collections::HashSet;

/// An index with what tests do to it and ask of it.
struct Index(Shared<InboundIndex>);

impl Index {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        Self(Arc::new(Mutex::new(InboundIndex::new(Arc::new(config)))))
    }

    fn apply<T: Resource>(&self, object: &Build<T>) -> &Self
    where
        InboundIndex: Sink<T>,
    {
        self.0.lock().apply(object.done());
        self
    }

    fn delete<T: Resource>(&self, name: &str) -> &Self
    where
        InboundIndex: Sink<T>,
    {
        Sink::<T>::delete(&mut *self.0.lock(), &ObjectId::new("n", name));
        self
    }

    fn reset<T: Resource>(&self, live: &[&str])
    where
        InboundIndex: Sink<T>,
    {
        let live: HashSet<ObjectId> = live.iter().map(|name| ObjectId::new("n", *name)).collect();
        Sink::<T>::reset(&mut *self.0.lock(), &live);
    }

    /// The policy of a port of a pod, which a proxy would accept.
    fn policy(&self, pod: &str, port: u16) -> InboundServer {
        let policy = self.0.lock().policy(&workload("n", WorkloadKind::Pod, pod), port).unwrap();
        validated_inbound(&policy);
        policy
    }

    fn is_known(&self, kind: WorkloadKind, name: &str) -> bool {
        self.0.lock().policy(&workload("n", kind, name), 80).is_some()
    }

    fn watch(&self, pod: &str, port: u16) -> Watch {
        self.watch_workload(WorkloadKind::Pod, pod, port)
    }

    fn watch_workload(&self, kind: WorkloadKind, name: &str, port: u16) -> Watch {
        Watch(InboundIndex::watch(&self.0, &workload("n", kind, name), port))
    }

    fn problems(&self) -> Vec<String> {
        self.0.lock().problems().map(|(kind, id, problem)| format!("{kind} {id}: {}", problem.reason)).collect()
    }
}

struct Watch(Subscription<InboundServer>);

impl Watch {
    /// The policy that came since the last call, if one did.
    fn news(&mut self) -> Option<InboundServer> {
        let is_news = self.0.updates.has_changed().unwrap_or(false);
        let newest = is_news.then(|| self.0.updates.borrow_and_update().clone()).flatten();
        newest.map(|snapshot| snapshot.policy.clone())
    }

    fn has_ended(&self) -> bool {
        self.0.updates.has_changed().is_err()
    }
}

/// Name of the Server of a policy, or of the access policy that stands in for one.
fn source(policy: &InboundServer) -> &str {
    match &policy.source {
        ServerSource::Default(policy) => policy.as_str(),
        ServerSource::Server(name) => name,
    }
}

fn routes(policy: &InboundServer) -> Vec<&'static str> {
    match &policy.protocol {
        Protocol::Detect { routes, .. } | Protocol::Http1(routes) | Protocol::Http2(routes) => routes
            .iter()
            .map(|route| match route.source {
                RouteSource::Default(name) => name,
            })
            .collect(),
        Protocol::Grpc(routes) => routes
            .iter()
            .map(|route| match route.source {
                RouteSource::Default(name) => name,
            })
            .collect(),
        Protocol::Opaque | Protocol::Tls => vec![],
    }
}

/// The objects and defaults that let clients connect, in order.
fn allowed_by(policy: &InboundServer) -> Vec<String> {
    policy
        .authorizations
        .iter()
        .map(|authorization| match &authorization.source {
            AuthorizationSource::AuthorizationPolicy(name) => format!("policy {name}"),
            AuthorizationSource::ServerAuthorization(name) => format!("saz {name}"),
            AuthorizationSource::AccessPolicy(policy) => format!("default {policy}"),
            AuthorizationSource::Probe => "probe".to_owned(),
        })
        .collect()
}
