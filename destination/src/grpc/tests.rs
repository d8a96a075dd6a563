//! Tests of what is on the wire.

mod messages;
mod server;

use crate::index::Index;
use linkerd_controller::source::Sink;
use linkerd_k8s::{EndpointSlice, ExternalWorkload, Job, Node, Pod, ReplicaSet, Server, Service, ServiceProfile};
use std::collections::HashSet;

/// Completes the initial lists of an index, all of them empty.
fn sync(index: &mut Index) {
    let none = HashSet::new();
    Sink::<Node>::reset(index, &none);
    Sink::<ReplicaSet>::reset(index, &none);
    Sink::<Job>::reset(index, &none);
    Sink::<Pod>::reset(index, &none);
    Sink::<Service>::reset(index, &none);
    Sink::<EndpointSlice>::reset(index, &none);
    Sink::<ServiceProfile>::reset(index, &none);
    Sink::<Server>::reset(index, &none);
    Sink::<ExternalWorkload>::reset(index, &none);
}
