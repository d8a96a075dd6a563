//! An index and clients of it, in a form that tests can read.

use crate::{
    core::{
        config::Config,
        diff::Step,
        endpoint::Endpoint,
        filter::Entry,
        key::Key,
        profile::{EndpointProfile, Profile, ServiceProfile},
    },
    index::{
        EndpointsRequest, Index, Lease, ProfileRequest, ProfileSubject,
        cluster::{Cluster, Store},
        refusal::{EndpointsRefusal, ProfileRefusal},
        snapshot::{Change, Encode, EndpointSet, Messages, ProfileSnapshot, Snapshot},
    },
};
use bytes::Bytes;
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource};
use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};
use tokio::sync::watch;

/// Domain of the cluster in tests.
pub const DOMAIN: &str = "mycluster.local";

pub fn config() -> Config {
    Config { cluster_domain: DOMAIN.to_owned(), trust_domain: "trust.domain".to_owned(), ..Config::default() }
}

/// An index that has its initial state.
pub struct World(Rc<RefCell<Index>>);

impl World {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        let world = Self::unsynced(config);
        world.sync();
        world
    }

    pub fn unsynced(config: Config) -> Self {
        Self(Rc::new(RefCell::new(Index::new(Arc::new(config)))))
    }

    /// Completes the initial lists, with what was applied so far.
    pub fn sync(&self) {
        super::sync(&mut self.0.borrow_mut());
    }

    /// Ends a list of these objects.
    pub fn relist<T: Resource>(&self, live: &[ObjectId])
    where
        Cluster: Store<T>,
    {
        super::relist::<T>(&mut self.0.borrow_mut(), Some(live));
    }

    pub fn apply<T: Resource>(&self, object: &T) -> &Self
    where
        Cluster: Store<T>,
    {
        self.0.borrow_mut().apply(object.clone());
        self
    }

    pub fn delete<T: Resource>(&self, object: &T) -> &Self
    where
        Cluster: Store<T>,
    {
        Sink::<T>::delete(&mut *self.0.borrow_mut(), &object.id());
        self
    }

    /// The index itself.
    pub fn index(&self) -> RefMut<'_, Index> {
        self.0.borrow_mut()
    }

    /// Lets additions through that were held back.
    pub fn tick(&self) -> bool {
        self.0.borrow_mut().tick()
    }

    /// Lets everything through, and time pass.
    pub fn settle(&self) {
        while self.tick() {}
    }

    /// A stream of `Get` for `<service>.<namespace>` or `<hostname>.<service>.<namespace>`.
    pub fn try_get(&self, name: &str, port: u16, node: &str) -> Result<Client, EndpointsRefusal> {
        let labels: Vec<&str> = name.split('.').collect();
        let (hostname, name, namespace) = match labels[..] {
            [name, namespace] => (None, name, namespace),
            [hostname, name, namespace] => (Some(hostname), name, namespace),
            _ => panic!("{name}"),
        };
        let (receiver, hold) = self.watch(EndpointsRequest { namespace, name, hostname, port, node })?;
        Ok(Client { receiver, has: None, shown: BTreeMap::new(), _hold: hold })
    }

    /// The snapshots of a stream of `Get`, for clients that read them in their own way.
    pub fn watch(
        &self,
        request: EndpointsRequest<'_>,
    ) -> Result<(watch::Receiver<Arc<Snapshot>>, Hold), EndpointsRefusal> {
        let (receiver, lease) = self.0.borrow_mut().watch_endpoints(request)?;
        Ok((receiver, Hold { world: self.0.clone(), lease }))
    }

    pub fn get_from(&self, name: &str, port: u16, node: &str) -> Client {
        self.try_get(name, port, node).unwrap()
    }

    pub fn get(&self, name: &str, port: u16) -> Client {
        self.get_from(name, port, "")
    }

    /// A stream of `GetProfile` for an address, `<service>.<namespace>` or
    /// `<hostname>.<service>.<namespace>`.
    pub fn try_profile(&self, name: &str, port: u16, namespace: &str) -> Result<ProfileClient, ProfileRefusal> {
        let labels: Vec<&str> = name.split('.').collect();
        let subject = match (name.parse(), &labels[..]) {
            (Ok(ip), _) => ProfileSubject::Ip(ip),
            (_, [name, namespace]) => ProfileSubject::Name { namespace, name, hostname: None },
            (_, [hostname, name, namespace]) => ProfileSubject::Name { namespace, name, hostname: Some(hostname) },
            _ => panic!("{name}"),
        };
        let request = ProfileRequest { subject, port, client_namespace: namespace };
        let (receiver, lease) = self.0.borrow_mut().watch_profile(request)?;
        Ok(ProfileClient { receiver, is_new: true, _hold: Hold { world: self.0.clone(), lease } })
    }

    pub fn profile(&self, name: &str, port: u16) -> ProfileClient {
        self.try_profile(name, port, "").unwrap()
    }

    /// Watched Services, watched workloads and watched profiles.
    pub fn watched(&self) -> (usize, usize, usize) {
        let index = self.0.borrow();
        let (services, workloads) = index.endpoints.sizes();
        (services, workloads, index.profiles.count())
    }

    pub fn counts(&self) -> Vec<(String, crate::index::views::ViewCounts)> {
        let index = self.0.borrow();
        index
            .endpoints()
            .counts()
            .into_iter()
            .map(|((service, key), n)| (format!("{service}:{}", key.port), n))
            .collect()
    }
}

/// Ends a watch when it is dropped.
pub struct Hold {
    world: Rc<RefCell<Index>>,
    lease: Lease,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.world.borrow_mut().release(&self.lease);
    }
}

/// A client of `Get` that does with messages what a proxy does.
pub struct Client {
    receiver: watch::Receiver<Arc<Snapshot>>,
    has: Option<Arc<Snapshot>>,
    shown: BTreeMap<SocketAddr, Entry>,
    _hold: Hold,
}

impl Client {
    /// Reads what was sent since: `add ADDRESSES`, `remove ADDRESSES`, `empty` or `gone`.
    pub fn read(&mut self) -> Vec<String> {
        // An ended stream may have something that was not read.
        let is_news = self.has.is_none() || self.receiver.has_changed().unwrap_or(true);
        if !is_news {
            return Vec::new();
        }
        let newest = self.receiver.borrow_and_update().clone();
        let messages = newest.messages_for(self.has.as_deref(), &Text);
        let is_first = self.has.is_none();
        self.has = Some(newest.clone());
        let messages: Vec<String> =
            messages.iter().map(|message| String::from_utf8(message.to_vec()).unwrap()).collect();
        for (i, message) in messages.iter().enumerate() {
            assert!(!(is_first && i == 0 && message.starts_with("remove")), "a stream begins with a removal");
            self.replay(message, newest.set(), is_first && i == 0);
        }
        messages
    }

    fn replay(&mut self, message: &str, set: &EndpointSet, is_first: bool) {
        let (verb, addresses) = message.split_once(' ').unwrap_or((message, ""));
        let addresses = addresses.split(' ').filter_map(|address| address.parse::<SocketAddr>().ok());
        match verb {
            "add" => {
                if is_first {
                    self.shown.clear();
                }
                for address in addresses {
                    let position = set.entries.binary_search_by_key(&address, |entry| entry.address).unwrap();
                    self.shown.insert(address, set.entries[position].clone());
                }
            }
            "remove" => addresses.for_each(|address| assert!(self.shown.remove(&address).is_some(), "{address}")),
            _ => self.shown.clear(),
        }
    }

    /// Whether the stream has ended, once what is left is read.
    pub fn is_ended(&self) -> bool {
        self.receiver.has_changed().is_err()
    }

    /// What the messages that were read amount to.
    pub fn shown(&self) -> &BTreeMap<SocketAddr, Entry> {
        &self.shown
    }

    /// The newest snapshot, whether it was read or not.
    pub fn newest(&self) -> Arc<Snapshot> {
        self.receiver.borrow().clone()
    }

    /// The endpoint that is shown at an address.
    pub fn endpoint(&mut self, address: &str) -> Endpoint {
        self.read();
        Endpoint::clone(&self.shown[&address.parse().unwrap()].endpoint)
    }

    /// Labels of the set.
    pub fn set_labels(&self) -> Vec<String> {
        self.newest().set().labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

/// Writes messages as text.
pub struct Text;

impl Encode for Text {
    fn whole(&self, set: &EndpointSet) -> Messages {
        let text = match (set.exists, set.entries.is_empty()) {
            (false, _) => "gone".to_owned(),
            (true, true) => "empty".to_owned(),
            (true, false) => list("add", set.entries.iter().map(|entry| entry.address)),
        };
        [Bytes::from(text)].into()
    }

    fn change(&self, set: &EndpointSet, change: &Change) -> Messages {
        let Step { added, removed, .. } = &change.step;
        let mut messages = Vec::new();
        if change.existence == Some(true) && added.is_empty() {
            messages.push("empty".into());
        }
        if !added.is_empty() {
            messages.push(list("add", added.iter().map(|position| set.entries[*position].address)).into());
        }
        if !removed.is_empty() {
            messages.push(list("remove", removed.iter().copied()).into());
        }
        if change.existence == Some(false) {
            messages.push("gone".into());
        }
        messages.into()
    }
}

fn list(verb: &str, addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses.fold(verb.to_owned(), |text, address| format!("{text} {address}"))
}

/// A client of `GetProfile`.
pub struct ProfileClient {
    receiver: watch::Receiver<Arc<ProfileSnapshot>>,
    is_new: bool,
    _hold: Hold,
}

impl ProfileClient {
    /// The profile that was sent since, if there is one.
    pub fn read(&mut self) -> Option<Profile> {
        let is_news = std::mem::take(&mut self.is_new) || self.receiver.has_changed().unwrap();
        is_news.then(|| self.receiver.borrow_and_update().profile().clone())
    }

    /// The profile of an endpoint that was sent since.
    pub fn endpoint(&mut self) -> EndpointProfile {
        match self.read() {
            Some(Profile::Endpoint(profile)) => profile,
            other => panic!("{other:?}"),
        }
    }

    /// The profile of a Service that was sent since.
    pub fn service(&mut self) -> ServiceProfile {
        match self.read() {
            Some(Profile::Service(profile)) => profile,
            other => panic!("{other:?}"),
        }
    }

    /// The first route of the ServiceProfile that was sent since.
    pub fn route(&mut self) -> Option<String> {
        let source = self.service().source?;
        source.spec.routes.first().map(|route| route.name.clone())
    }
}

/// A key for refusals.
pub fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}
