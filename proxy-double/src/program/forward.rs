//! Forwarding of TCP connections to where they were going.

mod counted;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::drain::Drain;
use super::metrics::{OpenConnection, Peer, TcpMetrics};
use super::original::{self, Own};
use crate::state::Target;
use crate::{Lease, ProxyDouble};
use counted::Counted;

/// Most connections of one direction at a time; further ones wait in the kernel.
const MOST: usize = 10_000;

/// Pause when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Which way connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the pod.
    Inbound,
    /// From the pod.
    Outbound,
}

/// How dead peers are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Time without traffic after which, and between which, it is asked.
    pub idle: Option<Duration>,
    /// Longest time without an answer to what was sent.
    pub user_timeout: Option<Duration>,
}

/// Why a connection was not forwarded.
#[derive(Debug, thiserror::Error)]
pub enum NotForwarded {
    /// It would come back here for ever.
    #[error("the destination {0} is a listener of this proxy")]
    Loop(SocketAddr),
    /// The redirection sent it here from somewhere else.
    #[error("the destination {0} is no address of this pod")]
    OtherPod(SocketAddr),
    /// The destination is unknown.
    #[error("the destination is not known")]
    Unknown(#[source] io::Error),
    /// The destination does not take it.
    #[error("{0} does not take the connection")]
    Connect(SocketAddr, #[source] io::Error),
    /// The destination does not answer.
    #[error("{0} does not answer in time")]
    Timeout(SocketAddr),
}

impl NotForwarded {
    /// The value of the label `error`.
    fn label(&self) -> &'static str {
        match self {
            Self::Loop(_) => "loop",
            Self::OtherPod(_) => "other pod",
            Self::Unknown(_) => "unknown destination",
            Self::Connect(..) => "connect",
            Self::Timeout(_) => "connect timeout",
        }
    }
}

/// Where an accepted connection was going.
type Destination = Box<dyn Fn(&TcpStream) -> io::Result<SocketAddr> + Send + Sync>;

/// Keeps something watched for as long as a connection is there.
enum Watched {
    Port(#[expect(dead_code, reason = "held, not read")] Option<Lease<u16>>),
    Target(#[expect(dead_code, reason = "held, not read")] Option<Lease<Target>>),
}

/// Forwards the connections of one direction.
pub struct Forwarder {
    direction: Direction,
    double: Arc<ProxyDouble>,
    metrics: TcpMetrics,
    own: Own,
    connect: Duration,
    keepalive: Keepalive,
    destination: Destination,
    room: Arc<Semaphore>,
}

impl Forwarder {
    /// Forwards to the original destinations, which have the time `connect` to take a connection.
    pub fn new(
        direction: Direction,
        double: Arc<ProxyDouble>,
        metrics: TcpMetrics,
        own: Own,
        connect: Duration,
        keepalive: Keepalive,
    ) -> Self {
        let (destination, room) = (Box::new(original::destination), Arc::new(Semaphore::new(MOST)));
        Self { direction, double, metrics, own, connect, keepalive, destination, room }
    }

    /// Accepts connections until everything stops.
    pub async fn accept(self: Arc<Self>, listener: TcpListener, drain: Drain) {
        loop {
            let next = async {
                // It is never closed.
                let room = Arc::clone(&self.room).acquire_owned().await.ok();
                (room, listener.accept().await)
            };
            let (room, accepted) = tokio::select! {
                next = next => next,
                () = drain.stopping() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let forwarder = Arc::clone(&self);
                    drain.connections.spawn(async move {
                        forwarder.serve(stream).await;
                        drop(room);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(NO_ROOM).await;
                }
            }
        }
    }

    async fn serve(&self, client: TcpStream) {
        let mut open = self.metrics.opened(self.direction, Peer::Source);
        match self.forward(&client).await {
            Ok((server, watched)) => {
                let mut server_open = self.metrics.opened(self.direction, Peer::Destination);
                self.keep_alive(&client, &server);
                let result = copy(client, server, &open, &server_open).await;
                if let Err(error) = result {
                    open.failed(&error);
                    server_open.failed(&error);
                }
                drop(watched);
            }
            Err(error) => {
                self.metrics.error(self.direction, error.label());
                let error = anyhow::Error::new(error);
                tracing::info!(direction = ?self.direction, error = format!("{error:#}"), "not forwarded");
                // The client learns that it failed, and not that everything was said.
                let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
            }
        }
    }

    /// Connects to where the client wanted, and watches what a proxy would watch for it.
    async fn forward(&self, client: &TcpStream) -> Result<(TcpStream, Watched), NotForwarded> {
        let local = client.local_addr().map_err(NotForwarded::Unknown)?;
        let target = (self.destination)(client).map(original::canonical).map_err(NotForwarded::Unknown)?;
        if self.own.is_listener(target, local) {
            return Err(NotForwarded::Loop(target));
        }
        let watched = match self.direction {
            Direction::Inbound if !self.own.is_pod(target.ip()) => return Err(NotForwarded::OtherPod(target)),
            Direction::Inbound => Watched::Port(self.within_bounds(self.double.accept_within_bounds(target.port()))),
            Direction::Outbound => Watched::Target(self.within_bounds(self.double.connect_within_bounds(target))),
        };
        match timeout(self.connect, TcpStream::connect(target)).await {
            Ok(Ok(server)) => Ok((server, watched)),
            Ok(Err(error)) => Err(NotForwarded::Connect(target, error)),
            Err(_) => Err(NotForwarded::Timeout(target)),
        }
    }

    fn within_bounds<T>(&self, watched: Option<T>) -> Option<T> {
        if watched.is_none() {
            self.metrics.unwatched(self.direction);
        }
        watched
    }

    /// Notices when the other pod has gone without a word; the application's side is on this machine.
    fn keep_alive(&self, client: &TcpStream, server: &TcpStream) {
        // What the system refuses is not needed.
        let _ = client.set_nodelay(true).and(server.set_nodelay(true));
        let remote = SockRef::from(match self.direction {
            Direction::Inbound => client,
            Direction::Outbound => server,
        });
        if let Some(idle) = self.keepalive.idle {
            let _ = remote.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(idle));
        }
        let _ = remote.set_tcp_user_timeout(self.keepalive.user_timeout);
    }
}

/// Copies both ways until both sides have said everything: one may close its half before the other.
async fn copy(
    client: TcpStream,
    server: TcpStream,
    client_open: &OpenConnection,
    server_open: &OpenConnection,
) -> io::Result<()> {
    let mut client = Counted::new(client, client_open.bytes());
    let mut server = Counted::new(server, server_open.bytes());
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

#[cfg(test)]
mod tests;
