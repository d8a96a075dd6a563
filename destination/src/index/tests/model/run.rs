//! An index, what it was told, and clients of it.

use super::{
    super::world::{World, config},
    client::{Client, View},
    event::{Event, Kind},
    objects::{NAMESPACES, NODES, OPAQUE, a_service},
    oracle::{Of, Summary},
    profiles::Watcher,
    told::Told,
};
use crate::{core::config::Config, grpc::Wire, index::snapshot::Encode};
use linkerd_k8s::{ObjectId, Resource};

/// A history in progress.
pub struct Run {
    world: World,
    told: Told,
    /// Clients that read after every event; those after the first eight come and go.
    fast: Vec<Client>,
    /// Clients that read at ticks alone.
    slow: Vec<Client>,
    profiles: Vec<Option<Watcher>>,
}

fn model_config() -> Config {
    Config { default_opaque_ports: OPAQUE.parse().unwrap(), ..config() }
}

impl Run {
    pub fn new() -> Self {
        let (world, mut told) = (World::with(model_config()), Told::default());
        for (ns, name) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let made = a_service(Event { kind: Kind::Service, ns, name, bits: 0 });
            world.apply(&made);
            told.services.insert(made.id(), made);
        }
        let view = |ns, service, node| View { ns, service, port: 80, hostname: None, node };
        let views = |ns| {
            let hostname = View { hostname: Some("h-0"), ..view(ns, 0, NODES[1]) };
            [view(ns, 0, NODES[0]), view(ns, 0, NODES[1]), view(ns, 1, NODES[0]), hostname]
        };
        let join = |view| {
            let mut client = Client::join(&world, view).unwrap();
            client.read().unwrap();
            client
        };
        let fast = [views(0), views(1)].concat().into_iter().map(join).collect();
        let slow =
            (0..2).flat_map(|ns| [view(ns, 0, NODES[0]), View { port: 81, ..view(ns, 0, "") }]).map(join).collect();
        Self { world, told, fast, slow, profiles: (0..8).map(|_| None).collect() }
    }

    /// Lets something happen, and checks what clients are told.
    pub fn step(&mut self, event: Event) -> Result<(), String> {
        let namespace = self.told.tell(&self.world, event);
        match event.kind {
            Kind::Rejoin => self.rejoin(event)?,
            Kind::Tick => self.world.settle(),
            _ => {}
        }
        let is_tick = event.kind == Kind::Tick;
        for client in &mut self.fast {
            let sent = client.read().map_err(|why| format!("{:?}: {why}", client.view))?;
            if namespace.is_some_and(|namespace| namespace != client.view.ns) {
                if sent > 0 {
                    return Err(format!("an event of another namespace was sent to {:?}", client.view));
                }
                continue;
            }
            check(&self.told, client, is_tick)?;
        }
        for watcher in self.profiles.iter_mut().flatten() {
            watcher.check(&self.told)?;
        }
        if is_tick {
            for client in &mut self.slow {
                client.read().map_err(|why| format!("{:?}: {why}", client.view))?;
                check(&self.told, client, true)?;
            }
            if event.bits().one_in(3) {
                self.compare_with_new_index()?;
            }
        }
        Ok(())
    }

    /// A stream ends, and another one begins in its place, if there is what it asks for. It does not wait
    /// for what others wait for.
    fn rejoin(&mut self, event: Event) -> Result<(), String> {
        let mut bits = event.bits();
        let place = bits.take(3);
        if bits.take(1) == 0 {
            self.profiles[place] = None;
            self.profiles[place] = Watcher::join(&self.world, &self.told, bits)?;
            return Ok(());
        }
        let (service, port) = (bits.take(1) as u8, [80, 80, 81, 8080][bits.take(2)]);
        let (hostname, node) =
            ([None, None, None, Some("h-0")][bits.take(2)], [NODES[0], NODES[1], "", NODES[0]][bits.take(2)]);
        let view = View { ns: event.ns, service, port, hostname, node };
        if self.fast.len() > 8 + place % 4 {
            self.fast.remove(8 + place % 4);
        }
        let service = ObjectId::new(NAMESPACES[view.ns], format!("svc-{service}"));
        let is_there = self.told.services.contains_key(&service);
        match Client::join(&self.world, view) {
            Some(mut client) => {
                client.read()?;
                check(&self.told, &client, true)?;
                self.fast.push(client);
            }
            None if is_there => return Err(format!("{view:?} is refused")),
            None => {}
        }
        Ok(())
    }

    /// An index that is told the same objects, once each, shows the same, to the byte.
    fn compare_with_new_index(&self) -> Result<(), String> {
        let world = World::with(model_config());
        self.told.retell(&world);
        let wire = Wire::new(&model_config());
        for client in &self.fast {
            let Some(new) = Client::join(&world, client.view) else {
                if client.shown.is_empty() { continue } else { return Err(format!("{:?} is refused", client.view)) }
            };
            let (old, new) = (client.newest(), new.newest());
            if wire.whole(old.set()) != wire.whole(new.set()) {
                return Err(format!("{:?} shows {:#?}, a new index {:#?}", client.view, old.set(), new.set()));
            }
        }
        Ok(())
    }

    /// What nobody watches any more is freed.
    pub fn end(mut self) -> Result<(), String> {
        self.step(Event { kind: Kind::Tick, ns: 0, name: 0, bits: 7 })?;
        drop((self.fast, self.slow, self.profiles));
        match self.world.watched() {
            (0, 0, 0) => Ok(()),
            watched => Err(format!("{watched:?} Services, workloads and profiles are watched by nobody")),
        }
    }
}

/// What a client is shown is true; what is true may be missing until the next tick.
fn check(told: &Told, client: &Client, is_complete: bool) -> Result<(), String> {
    let expected = told.expected(client.view);
    for (address, entry) in &client.shown {
        let shown = Summary::of_entry(entry, client.view.ns)?;
        if let Of::Pod(pod) = shown.of
            && !told.pods.contains_key(&ObjectId::new(NAMESPACES[client.view.ns], format!("pod-{pod}")))
        {
            return Err(format!("{address} is shown to {:?}, and its pod is gone", client.view));
        }
        if expected.get(address) != Some(&shown) {
            let is = expected.get(address);
            return Err(format!("{:?} is shown {address} as {shown:?}, and it is {is:?}", client.view));
        }
    }
    if is_complete && client.shown.len() != expected.len() {
        let missing: Vec<_> = expected.keys().filter(|address| !client.shown.contains_key(address)).collect();
        return Err(format!("{:?} is not shown {missing:?}", client.view));
    }
    Ok(())
}
