mod cases;
mod fake;
mod feeding;
mod property;
mod writing;

use self::fake::FakeSlices;
use super::{
    model::{Family, Slice},
    object, project,
    state::{Follow, State},
};
use crate::fixtures::{Named, external, service};
use linkerd_k8s::{
    EndpointSlice, ExternalWorkload, ObjectId, Resource, Service,
    pod::{AddressEntry, Condition},
    ports::PortName,
    service::ServicePort,
};
use std::collections::HashSet;

/// A Service with UID `<name>-uid` that selects `app: <name>` and has port 80 to `app`.
fn web(name: &str) -> Service {
    let port = ServicePort { name: "http".to_owned(), port: 80, ..ServicePort::default() };
    service(name).uid(&format!("{name}-uid")).with(|service| {
        service.spec.selector = Some([("app".to_owned(), name.to_owned())].into());
        service.spec.ports = vec![ServicePort { target_port: Some(PortName::Name("app".to_owned())), ..port }];
        service.spec.cluster_ip = "10.0.0.1".to_owned();
        service.spec.ip_families = vec!["IPv4".to_owned()];
    })
}

/// A ready workload with label `app: web`, an address of its own, and port `app` 8080.
fn vm(number: u16) -> ExternalWorkload {
    let [high, low] = number.to_be_bytes();
    let name = format!("vm-{number:03}");
    external(&name, &format!("10.1.{high}.{low}"), 8080).uid(&format!("{name}-uid")).label("app", "web").ready(true)
}

trait Vm: Named {
    fn ready(self, is_ready: bool) -> Self;
    fn also_at(self, ip: &str) -> Self;
    fn at_port(self, port: u16) -> Self;
}

impl Vm for ExternalWorkload {
    fn ready(self, is_ready: bool) -> Self {
        let status = if is_ready { "True" } else { "False" }.to_owned();
        self.with(|vm| vm.status.conditions = vec![Condition { type_: "Ready".to_owned(), status }])
    }

    fn also_at(self, ip: &str) -> Self {
        self.with(|vm| vm.spec.workload_ips.push(AddressEntry { ip: ip.to_owned() }))
    }

    fn at_port(self, port: u16) -> Self {
        self.with(|vm| vm.spec.ports[0].port = port)
    }
}

/// A leader's state, and the slices of the cluster. Nothing is written unless a test says so.
struct World {
    state: State,
    slices: FakeSlices,
}

/// Creates, updates and deletes.
type Writes = (usize, usize, usize);

impl World {
    fn new() -> Self {
        let mut world = Self { state: State::default(), slices: FakeSlices::default() };
        world.list::<Service>(&[]);
        world.list::<ExternalWorkload>(&[]);
        world.list::<EndpointSlice>(&[]);
        world.state.lead();
        world
    }

    fn list<T: Resource>(&mut self, live: &[ObjectId])
    where
        State: Follow<T>,
    {
        Follow::<T>::reset(&mut self.state, &live.iter().cloned().collect::<HashSet<_>>());
    }

    fn apply<T: Resource>(&mut self, objects: impl IntoIterator<Item = T>) -> &mut Self
    where
        State: Follow<T>,
    {
        objects.into_iter().for_each(|object| self.state.apply(&object));
        self
    }

    fn delete<T: Resource>(&mut self, object: &T)
    where
        State: Follow<T>,
    {
        Follow::<T>::delete(&mut self.state, &object.id());
    }

    /// Writes what dirty Services need, and tells the state of it as a watch would.
    fn settle(&mut self) -> Writes {
        let mut writes = (0, 0, 0);
        for key in self.state.take_dirty() {
            let Some((service, plan)) = self.state.plan(&key) else { continue };
            writes.0 += plan.creates.len();
            writes.1 += plan.updates.len();
            writes.2 += plan.deletes.len();
            for (family, content) in &plan.creates {
                let created = self.slices.create(&key.namespace, object::new(&service, *family, content));
                self.wrote(created.unwrap());
            }
            for (slice, content) in &plan.updates {
                let patch = object::change(slice, content);
                let updated = self.slices.patch(&slice.key.namespace, &slice.key.name, &patch);
                self.wrote(updated.unwrap());
            }
            for slice in &plan.deletes {
                self.slices.delete(&slice.key.namespace, &slice.key.name, None).unwrap();
                self.state.erased(slice);
            }
        }
        self.watch();
        writes
    }

    fn wrote(&mut self, object: serde_json::Value) {
        self.state.wrote(&serde_json::from_value(object).unwrap());
    }

    /// Tells the state of all slices, and of those that are gone.
    fn watch(&mut self) {
        let slices = self.slices.all();
        let live: Vec<ObjectId> = slices.iter().map(Resource::id).collect();
        self.apply(slices);
        self.list::<EndpointSlice>(&live);
    }

    /// The slices of a Service in order of their names.
    fn slices_of(&self, service: &str) -> Vec<Slice> {
        let slices = self.slices.all();
        slices.iter().filter_map(project::slice).filter(|slice| *slice.service == *service).collect()
    }

    /// How many endpoints each slice of Service `web` has, the fullest first.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<_> = self.slices_of("web").iter().map(|slice| slice.content.endpoints.len()).collect();
        sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        sizes
    }
}

fn families(slices: &[Slice]) -> Vec<Family> {
    let mut families: Vec<_> = slices.iter().filter_map(|slice| slice.family).collect();
    families.sort_unstable();
    families
}
