//! One double: its connections, what it watches, and how to wait for what it knows.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::cache::{Cache, Lease};
use crate::certificate::{Current, KeyAndRequest, client_config};
use crate::config::{Config, Key, Limits, Peer};
use crate::connection::{Connection, Connector};
use crate::state::{Recorder, State, Target};
use crate::stream::Rules;
use crate::{certify, inbound, outbound};

/// Connections to destination and policy.
#[derive(Clone)]
pub struct Connections {
    destination: Connection,
    policy: Connection,
}

impl Connections {
    /// Connections that several doubles share. With TLS they present no certificate.
    ///
    /// One carries as many streams as the server allows, often 200; further ones wait. So thousands of
    /// doubles need several.
    pub fn shared(config: &Config) -> Result<Self> {
        let tls = Arc::new(client_config(&config.trust_anchors, &Current::default())?);
        Self::new(config, &tls)
    }

    fn new(config: &Config, tls: &Arc<ClientConfig>) -> Result<Self> {
        let connection = |peer: &Peer| {
            Connection::new(Connector::new(peer.clone(), Arc::clone(tls), config.timing))
                .with_context(|| format!("control-plane address {}", peer.address))
        };
        Ok(Self { destination: connection(&config.destination)?, policy: connection(&config.policy)? })
    }

    /// How often the connections to destination and policy were opened.
    pub fn opened(&self) -> (u64, u64) {
        (self.destination.opened(), self.policy.opened())
    }
}

/// What the tasks of a double share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) destination: Connection,
    pub(crate) policy: Connection,
    pub(crate) current: Current,
    frozen: watch::Receiver<bool>,
    pub(crate) recorder: Recorder,
}

impl Shared {
    pub(crate) fn rules(&self, connection: &Connection) -> Rules {
        let is_limited = self.config.limits_on_loopback || !connection.peer().is_loopback();
        Rules {
            limits: if is_limited { self.config.limits.in_force() } else { Limits::NONE },
            backoff: connection.backoff(),
            frozen: self.frozen.clone(),
            recorder: self.recorder.clone(),
        }
    }
}

/// A running double. Dropping it is like killing a proxy: everything ends at once.
pub struct ProxyDouble {
    shared: Arc<Shared>,
    connections: Connections,
    frozen: watch::Sender<bool>,
    targets: Cache<Target>,
    ports: Cache<u16>,
    _always: Vec<Lease<u16>>,
    _certify: AbortOnDropHandle<()>,
}

impl ProxyDouble {
    /// Starts a double with connections of its own.
    ///
    /// # Errors
    /// When an address or a trust anchor cannot be used: the proxy would exit.
    pub fn start(config: Config) -> Result<Self> {
        let current = Current::default();
        let tls = Arc::new(client_config(&config.trust_anchors, &current)?);
        let connections = Connections::new(&config, &tls)?;
        Self::with(config, connections, current, tls)
    }

    /// Starts a double with connections that others use too.
    ///
    /// # Errors
    /// As [`ProxyDouble::start`].
    pub fn start_shared(config: Config, connections: &Connections) -> Result<Self> {
        let current = Current::default();
        let tls = Arc::new(client_config(&config.trust_anchors, &current)?);
        Self::with(config, connections.clone(), current, tls)
    }

    fn with(config: Config, connections: Connections, current: Current, tls: Arc<ClientConfig>) -> Result<Self> {
        let key = match &config.key {
            Key::Generated => KeyAndRequest::generate(&config.local_name)?,
            Key::Folder(folder) => KeyAndRequest::read(folder)?,
        };
        let identity = Connector::new(config.identity.clone(), tls, config.timing);
        identity.origin().with_context(|| format!("identity address {}", config.identity.address))?;
        let (frozen, is_frozen) = watch::channel(false);
        let recorder = Recorder::default();
        let (forget_target, forget_port) = (recorder.clone(), recorder.clone());
        let targets = Cache::new(config.timing.outbound_idle, move |target| {
            forget_target.change(|state| drop(state.targets.remove(target)));
        });
        let ports = Cache::new(config.timing.inbound_idle, move |port| {
            forget_port.change(|state| drop(state.inbound.remove(port)));
        });
        let shared = Arc::new(Shared {
            config,
            destination: connections.destination.clone(),
            policy: connections.policy.clone(),
            current,
            frozen: is_frozen,
            recorder,
        });
        // Connections to the destination are opened eagerly; those to the policy by the first watches.
        let certify = {
            let shared = Arc::clone(&shared);
            async move {
                let eager = async { drop(shared.destination.ready().await) };
                tokio::join!(eager, certify::keep_certified(Arc::clone(&shared), identity, key));
            }
        };
        let certify = AbortOnDropHandle::new(tokio::spawn(certify));
        let mut double = Self { shared, connections, frozen, targets, ports, _always: Vec::new(), _certify: certify };
        double.watch_ports();
        Ok(double)
    }

    fn watch_ports(&mut self) {
        let config = &self.shared.config;
        let mut ports: Vec<u16> = config.inbound_ports.iter().copied().chain([config.admin_port]).collect();
        ports.sort_unstable();
        ports.dedup();
        self._always = ports.into_iter().map(|port| self.accept(port)).collect();
    }

    /// The application connects to a target; the connection lasts as long as the lease.
    pub fn connect(&self, target: impl Into<Target>) -> Lease<Target> {
        let (target, shared) = (target.into(), Arc::clone(&self.shared));
        self.targets.open(target.clone(), || outbound::watch_target(shared, target))
    }

    /// Somebody connects to an inbound port; the connection lasts as long as the lease.
    pub fn accept(&self, port: u16) -> Lease<u16> {
        let shared = Arc::clone(&self.shared);
        self.ports.open(port, || inbound::watch_port(shared, port))
    }

    /// Like [`ProxyDouble::connect`], unless as many targets are watched as may be.
    pub fn connect_within_bounds(&self, target: impl Into<Target>) -> Option<Lease<Target>> {
        let (target, shared) = (target.into(), Arc::clone(&self.shared));
        let most = self.shared.config.max_watched;
        self.targets.open_within(most, target.clone(), || outbound::watch_target(shared, target))
    }

    /// Like [`ProxyDouble::accept`], unless as many ports are watched as may be.
    pub fn accept_within_bounds(&self, port: u16) -> Option<Lease<u16>> {
        let shared = Arc::clone(&self.shared);
        self.ports.open_within(self.shared.config.max_watched, port, || inbound::watch_port(shared, port))
    }

    /// Waits until the double was certified.
    pub async fn certified(&self) {
        // The double, and with it the sender, is there as long as this waits.
        let _ = self.shared.recorder.subscribe().wait_for(State::is_ready).await;
    }

    /// Reads what the double knows, which may be much.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.shared.recorder.subscribe().borrow())
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What the double knows.
    pub fn state(&self) -> State {
        self.read(State::clone)
    }

    /// Its connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Stops to read messages, like a process that is stopped, or goes on.
    pub fn freeze(&self, is_frozen: bool) {
        self.frozen.send_replace(is_frozen);
    }

    /// Waits until the state is as `check` wants it, and returns what it made of it.
    ///
    /// # Errors
    /// The reason of the last check, when the deadline passes first.
    pub async fn until<T>(&self, deadline: Duration, mut check: impl FnMut(&State) -> Result<T>) -> Result<T> {
        let mut state = self.shared.recorder.subscribe();
        let end = Instant::now() + deadline;
        loop {
            let checked = check(&state.borrow_and_update());
            let reason = match checked {
                Ok(value) => return Ok(value),
                Err(reason) => reason,
            };
            match timeout_at(end, state.changed()).await {
                Ok(changed) => changed.map_err(|_| anyhow!("the double is gone"))?,
                Err(_) => return Err(reason.context(format!("{} not within {deadline:?}", self.name()))),
            }
        }
    }

    /// Waits until the state is as `check` wants it.
    ///
    /// # Errors
    /// The state, when the deadline passes first.
    pub async fn reaches(&self, deadline: Duration, check: impl FnMut(&State) -> bool) -> Result<()> {
        let mut states = self.shared.recorder.subscribe();
        match timeout(deadline, states.wait_for(check)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(_)) => bail!("the double is gone"),
            Err(_) => {}
        }
        let state = states.borrow();
        bail!("{} not within {deadline:?}: {state:?}", self.name())
    }

    fn name(&self) -> &str {
        &self.shared.config.local_name
    }
}

impl From<std::net::SocketAddr> for Target {
    fn from(address: std::net::SocketAddr) -> Self {
        Self::Address(address)
    }
}
