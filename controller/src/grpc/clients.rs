//! What each client has open: how many streams, and since when it leaves them unread.

use crate::listen::Hangup;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tonic::Status;

/// What the streams of one client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams of one connection.
    pub per_connection: usize,
    /// Streams of all connections from one address.
    pub per_address: usize,
    /// Least age at which a stream is ended, with OK; the greatest is twice as much.
    pub lifetime: Duration,
    /// How long a stream may be left unread while there is something to read; then its connection is
    /// closed.
    pub unread: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            per_connection: 16_000,
            per_address: 32_000,
            lifetime: Duration::from_secs(30 * 60),
            unread: Duration::from_secs(10 * 60),
        }
    }
}

/// The clients of a server.
#[derive(Clone)]
pub(super) struct Clients {
    limits: StreamLimits,
    epoch: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    addresses: HashMap<IpAddr, Address>,
    /// Number of the last stream.
    last: u64,
}

#[derive(Default)]
struct Address {
    /// Open streams of all connections.
    open: usize,
    /// Connections by the port of the client.
    connections: HashMap<u16, Connection>,
}

struct Connection {
    hangup: Option<Hangup>,
    streams: HashMap<u64, Arc<AtomicU64>>,
}

/// An open stream; dropped when the stream is.
pub(super) struct Slot {
    clients: Clients,
    peer: Option<SocketAddr>,
    id: u64,
    /// When data was given to the transport that it did not come back for yet, in milliseconds after the
    /// epoch; 0 when there is none.
    given: Arc<AtomicU64>,
}

impl Clients {
    pub(super) fn new(limits: StreamLimits) -> Self {
        Self { limits, epoch: Instant::now(), state: Arc::default() }
    }

    pub(super) fn limits(&self) -> StreamLimits {
        self.limits
    }

    /// Opens a stream of a client, or of one that is not known and has no limits.
    pub(super) fn open(&self, peer: Option<SocketAddr>, hangup: Option<&Hangup>) -> Result<Slot, Status> {
        let mut state = self.state.lock();
        if let Some(peer) = peer {
            self.check(&state, peer)?;
        }
        state.last += 1;
        let slot = Slot { clients: self.clone(), peer, id: state.last, given: Arc::default() };
        if let Some(peer) = peer {
            let address = state.addresses.entry(peer.ip()).or_default();
            let make = || Connection { hangup: hangup.cloned(), streams: HashMap::new() };
            address.open += 1;
            address.connections.entry(peer.port()).or_insert_with(make).streams.insert(slot.id, slot.given.clone());
        }
        Ok(slot)
    }

    fn check(&self, state: &State, peer: SocketAddr) -> Result<(), Status> {
        let Some(address) = state.addresses.get(&peer.ip()) else { return Ok(()) };
        let open = address.connections.get(&peer.port()).map_or(0, |connection| connection.streams.len());
        if open >= self.limits.per_connection {
            let message = format!("{open} streams are open on this connection, which is the most; end some first");
            return Err(Status::resource_exhausted(message));
        }
        if address.open >= self.limits.per_address {
            let message = format!("{} has {} open streams, which is the most; end some first", peer.ip(), address.open);
            return Err(Status::resource_exhausted(message));
        }
        Ok(())
    }

    /// Closes connections that have left a stream unread for too long. Returns how many.
    fn hang_up(&self) -> usize {
        let now = self.now();
        let is_stuck = |given: &Arc<AtomicU64>| {
            let given = given.load(Ordering::Relaxed);
            given != 0 && now.saturating_sub(given) >= millis(self.limits.unread)
        };
        let mut closed = 0;
        for (ip, address) in &self.state.lock().addresses {
            for (port, connection) in &address.connections {
                let Some(hangup) = connection.hangup.as_ref().filter(|hangup| !hangup.is_closed()) else { continue };
                if connection.streams.values().any(is_stuck) {
                    let (peer, limit) = (SocketAddr::new(*ip, *port), self.limits.unread);
                    tracing::warn!(%peer, ?limit, "a client leaves a stream unread; its connection is closed");
                    hangup.close();
                    closed += 1;
                }
            }
        }
        closed
    }

    /// Looks after the clients for ever; `closed` is told of connections that were closed.
    pub(super) async fn watch(self, closed: impl Fn(usize)) {
        loop {
            tokio::time::sleep(self.limits.unread / 8).await;
            closed(self.hang_up());
        }
    }

    fn now(&self) -> u64 {
        millis(self.epoch.elapsed()).max(1)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.state.lock().addresses.len()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Slot {
    /// Notes that the transport was given data.
    pub(super) fn given(&self) {
        self.given.store(self.clients.now(), Ordering::Relaxed);
    }

    /// Notes that the transport came back: it has sent what it was given, or may.
    pub(super) fn taken(&self) {
        self.given.store(0, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut state = self.clients.state.lock();
        let Some(address) = state.addresses.get_mut(&peer.ip()) else { return };
        if let Some(connection) = address.connections.get_mut(&peer.port()) {
            connection.streams.remove(&self.id);
            address.open -= 1;
            if connection.streams.is_empty() {
                address.connections.remove(&peer.port());
            }
        }
        if address.connections.is_empty() {
            state.addresses.remove(&peer.ip());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    fn clients() -> Clients {
        Clients::new(StreamLimits { per_connection: 2, per_address: 3, ..StreamLimits::default() })
    }

    fn peer(port: u16) -> Option<SocketAddr> {
        Some(SocketAddr::from(([10, 0, 0, 1], port)))
    }

    #[tokio::test]
    async fn a_client_may_open_so_many_streams_and_others_as_many() {
        let clients = clients();
        let refusal = |port| clients.open(peer(port), None).map(drop).unwrap_err();
        let first: Vec<_> = (0..2).map(|_| clients.open(peer(1), None).unwrap()).collect();
        assert_eq!(refusal(1).code(), Code::ResourceExhausted);
        assert!(refusal(1).message().starts_with("2 streams are open on this connection"));
        let second = clients.open(peer(2), None).unwrap();
        assert!(refusal(3).message().starts_with("10.0.0.1 has 3 open streams"));
        assert!(clients.open(Some(SocketAddr::from(([10, 0, 0, 2], 1))), None).is_ok());
        drop(second);
        assert!(clients.open(peer(3), None).is_ok());
        drop(first);
        assert_eq!(clients.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_a_stream_that_nobody_reads_is_closed() {
        let clients = clients();
        let (stuck, busy) = (Hangup::default(), Hangup::default());
        let (one, other) = (clients.open(peer(1), Some(&stuck)).unwrap(), clients.open(peer(2), Some(&busy)).unwrap());
        one.given();
        other.given();
        other.taken();
        tokio::time::advance(clients.limits.unread - Duration::from_millis(10)).await;
        assert_eq!(clients.hang_up(), 0);
        other.given();
        tokio::time::advance(Duration::from_millis(20)).await;
        assert_eq!(clients.hang_up(), 1);
        assert!(stuck.is_closed() && !busy.is_closed());
        // It is counted once, even if it takes a while to go.
        assert_eq!(clients.hang_up(), 0);
    }
}
