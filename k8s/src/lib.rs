//! Slim typed Kubernetes resources and the names that Linkerd gives to labels, annotations and kinds.
//!
//! Inputs: JSON of Kubernetes objects. Outputs: structs that hold only the fields this control
//! plane uses, so that a cluster's state fits in little memory, and the small grammars found in
//! manifests (port sets, durations, label selectors, networks, identities).
//!
//! Invariants: a leaf crate, without a client, protobuf, async or clock. Decoding never fails for a
//! field that is not read, and `null` means absent, as in the Kubernetes API.

pub mod crd;
pub mod duration;
pub mod endpoint_slice;
pub mod external_workload;
pub mod identity;
pub mod meta;
pub mod names;
pub mod owner;
pub mod pod;
pub mod policy;
pub mod ports;
pub mod quantity;
pub mod selector;
pub mod service;
pub mod service_profile;

pub use self::{
    endpoint_slice::EndpointSlice,
    external_workload::ExternalWorkload,
    identity::Identity,
    meta::{Meta, ObjectId, OwnerReference, Resource},
    owner::{Job, Namespace, Node, ReplicaSet},
    pod::Pod,
    policy::Server,
    ports::PortSet,
    selector::LabelSelector,
    service::Service,
    service_profile::ServiceProfile,
};
