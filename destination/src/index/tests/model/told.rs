//! What an index was told.

use super::{
    super::world::World,
    event::{Event, Kind},
    objects::{NAMESPACES, a_node, a_pod, a_profile, a_replica_set, a_server, a_service, a_slice, an_external},
};
use crate::index::cluster::{Cluster, Store};
use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, Node, ObjectId, Pod, ReplicaSet, Resource, Server, Service, ServiceProfile,
};
use std::collections::BTreeMap;

/// Objects of one kind, in the order of their names.
pub type Kept<T> = BTreeMap<ObjectId, T>;

/// The objects that an index was told of.
#[derive(Clone, Default)]
pub struct Told {
    pub pods: Kept<Pod>,
    pub slices: Kept<EndpointSlice>,
    pub services: Kept<Service>,
    pub servers: Kept<Server>,
    pub replica_sets: Kept<ReplicaSet>,
    pub nodes: Kept<Node>,
    pub externals: Kept<ExternalWorkload>,
    pub profiles: Kept<ServiceProfile>,
}

/// Does something with the objects of the kind that a number says.
macro_rules! of_kind {
    ($told:expr, $number:expr, $call:ident($($argument:expr),*)) => {
        match $number {
            0 => $call(&mut $told.pods, $($argument),*),
            1 => $call(&mut $told.slices, $($argument),*),
            2 => $call(&mut $told.services, $($argument),*),
            3 => $call(&mut $told.servers, $($argument),*),
            4 => $call(&mut $told.replica_sets, $($argument),*),
            5 => $call(&mut $told.nodes, $($argument),*),
            6 => $call(&mut $told.externals, $($argument),*),
            _ => $call(&mut $told.profiles, $($argument),*),
        }
    };
}

impl Told {
    /// Tells an index of an event. Returns the namespace that it is about, if it is about one.
    pub fn tell(&mut self, world: &World, event: Event) -> Option<usize> {
        let mut bits = event.bits();
        match event.kind {
            Kind::Pod => apply(&mut self.pods, world, a_pod(event)),
            Kind::Slice => apply(&mut self.slices, world, a_slice(event)),
            Kind::Service => apply(&mut self.services, world, a_service(event)),
            Kind::Server => apply(&mut self.servers, world, a_server(event)),
            Kind::ReplicaSet => apply(&mut self.replica_sets, world, a_replica_set(event)),
            Kind::Node => apply(&mut self.nodes, world, a_node(event)),
            Kind::External => apply(&mut self.externals, world, an_external(event)),
            Kind::Profile => apply(&mut self.profiles, world, a_profile(event)),
            Kind::Delete => of_kind!(self, bits.take(3), delete(world, event)),
            Kind::Again => of_kind!(self, bits.take(3), again(world, event)),
            Kind::Relist => of_kind!(self, bits.take(3), relist(world, event.bits >> 3)),
            Kind::Move => self.move_endpoint(world, event),
            Kind::Rejoin | Kind::Tick => {}
        }
        match event.kind {
            Kind::Node | Kind::Relist | Kind::Tick => None,
            Kind::Delete | Kind::Again if event.bits().take(3) == 5 => None,
            _ => Some(event.ns),
        }
    }

    /// The last endpoint of one slice moves to another; for a moment it is in both, or in none.
    fn move_endpoint(&mut self, world: &World, event: Event) {
        let mut bits = event.bits();
        let id = |i: usize| ObjectId::new(NAMESPACES[event.ns], format!("slice-{i}"));
        let from = usize::from(event.name % 3);
        let (from, to) = (id(from), id((from + 1 + bits.take(1)) % 3));
        let (Some(mut source), Some(mut target)) = (self.slices.get(&from).cloned(), self.slices.get(&to).cloned())
        else {
            return;
        };
        if source.address_type != target.address_type {
            return;
        }
        target.endpoints.extend(source.endpoints.pop());
        let both = if bits.take(1) == 0 { [source, target] } else { [target, source] };
        for slice in both {
            apply(&mut self.slices, world, slice);
        }
    }

    /// Tells another index of everything, kind by kind in another order than usual.
    pub fn retell(&self, world: &World) {
        self.profiles.values().for_each(|object| apply_only(world, object));
        self.services.values().for_each(|object| apply_only(world, object));
        self.slices.values().rev().for_each(|object| apply_only(world, object));
        self.externals.values().for_each(|object| apply_only(world, object));
        self.pods.values().rev().for_each(|object| apply_only(world, object));
        self.servers.values().for_each(|object| apply_only(world, object));
        self.replica_sets.values().for_each(|object| apply_only(world, object));
        self.nodes.values().for_each(|object| apply_only(world, object));
    }
}

fn apply<T: Resource>(kept: &mut Kept<T>, world: &World, object: T)
where
    Cluster: Store<T>,
{
    world.apply(&object);
    kept.insert(object.id(), object);
}

/// The object of the event's namespace that the event's name falls on.
fn chosen<T: Resource>(kept: &Kept<T>, event: Event) -> Option<T> {
    let is_its = |object: &&T| [NAMESPACES[event.ns], ""].contains(&object.meta().namespace.as_str());
    let count = kept.values().filter(is_its).count();
    kept.values().filter(is_its).nth(usize::from(event.name) % count.max(1)).cloned()
}

fn delete<T: Resource>(kept: &mut Kept<T>, world: &World, event: Event)
where
    Cluster: Store<T>,
{
    if let Some(object) = chosen(kept, event) {
        kept.remove(&object.id());
        world.delete(&object);
    }
}

fn again<T: Resource>(kept: &mut Kept<T>, world: &World, event: Event)
where
    Cluster: Store<T>,
{
    if let Some(object) = chosen(kept, event) {
        world.apply(&object);
    }
}

fn relist<T: Resource>(kept: &mut Kept<T>, world: &World, keep: u64)
where
    Cluster: Store<T>,
{
    let mut i = 0;
    kept.retain(|_, _| {
        i += 2;
        keep.rotate_right(i) & 3 != 3
    });
    world.relist::<T>(&kept.keys().cloned().collect::<Vec<_>>());
}

fn apply_only<T: Resource>(world: &World, object: &T)
where
    Cluster: Store<T>,
{
    world.apply(object);
}
