//! Tests of the index, by the cases of the specification.

mod endpoints;
mod federation;
mod filters;
mod model;
mod profiles;
mod servers;
mod views;
mod world;

use super::{Index, cluster::Cluster, cluster::Store};
use linkerd_controller::source::Sink;
use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, Job, Node, ObjectId, Pod, ReplicaSet, Resource, Server, Service, ServiceProfile,
};
use std::collections::HashSet;

/// Ends a list of these objects, or of all that are there.
fn relist<T: Resource>(index: &mut Index, live: Option<&[ObjectId]>)
where
    Cluster: Store<T>,
{
    let live: HashSet<ObjectId> = match live {
        Some(live) => live.iter().cloned().collect(),
        None => Store::<T>::missing(&index.cluster, &HashSet::new()).into_iter().collect(),
    };
    Sink::<T>::reset(index, &live);
}

/// Completes the initial lists, with what was applied so far.
pub(crate) fn sync(index: &mut Index) {
    relist::<Node>(index, None);
    relist::<ReplicaSet>(index, None);
    relist::<Job>(index, None);
    relist::<Pod>(index, None);
    relist::<Service>(index, None);
    relist::<EndpointSlice>(index, None);
    relist::<ServiceProfile>(index, None);
    relist::<Server>(index, None);
    relist::<ExternalWorkload>(index, None);
}

/// Completes the initial lists of another cluster, with what was applied so far.
pub(crate) fn sync_foreign(index: &mut Index) {
    relist::<ReplicaSet>(index, None);
    relist::<Job>(index, None);
    relist::<Pod>(index, None);
    relist::<Service>(index, None);
    relist::<EndpointSlice>(index, None);
    relist::<Server>(index, None);
    relist::<ExternalWorkload>(index, None);
}
