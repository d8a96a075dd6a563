//! Counters, with the names that the proxy has for them where it has one.

mod scrape;

use std::io;
use std::time::SystemTime;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::forward::Direction;
pub use scrape::scrape;

/// Seconds since the epoch.
pub fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Which side of a forwarded connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Who connected.
    Source,
    /// Who was connected to.
    Destination,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Side {
    direction: &'static str,
    peer: &'static str,
    /// Nothing that a double forwards is encrypted by it.
    tls: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Close {
    direction: &'static str,
    peer: &'static str,
    tls: &'static str,
    errno: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    direction: &'static str,
}

/// Counters of forwarded connections.
#[derive(Clone, Default)]
pub struct TcpMetrics {
    opened: Family<Side, Counter>,
    open: Family<Side, Gauge>,
    read: Family<Side, Counter>,
    written: Family<Side, Counter>,
    closed: Family<Close, Counter>,
    inbound_errors: Family<Cause, Counter>,
    outbound_errors: Family<Cause, Counter>,
    unwatched: Family<Way, Counter>,
}

impl TcpMetrics {
    /// Counts a connection as open, for as long as the result lives.
    pub fn opened(&self, direction: Direction, peer: Peer) -> OpenConnection {
        let peer = match peer {
            Peer::Source => "src",
            Peer::Destination => "dst",
        };
        let side = Side { direction: direction.label(), peer, tls: "disabled" };
        self.opened.get_or_create(&side).inc();
        self.open.get_or_create(&side).inc();
        OpenConnection { metrics: self.clone(), side, errno: String::new() }
    }

    /// Counts a connection that was not forwarded.
    pub fn error(&self, direction: Direction, error: &'static str) {
        let errors = match direction {
            Direction::Inbound => &self.inbound_errors,
            Direction::Outbound => &self.outbound_errors,
        };
        errors.get_or_create(&Cause { error }).inc();
    }

    /// Counts a connection whose destination is not watched, since too many others are.
    pub fn unwatched(&self, direction: Direction) {
        self.unwatched.get_or_create(&Way { direction: direction.label() }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("tcp_open", "Connections that were opened", self.opened.clone());
        registry.register("tcp_open_connections", "Connections that are open", self.open.clone());
        registry.register("tcp_read_bytes", "Bytes that were read from peers", self.read.clone());
        registry.register("tcp_write_bytes", "Bytes that were written to peers", self.written.clone());
        registry.register("tcp_close", "Connections that were closed", self.closed.clone());
        let help = "Connections that were not forwarded";
        registry.register("inbound_tcp_errors", help, self.inbound_errors.clone());
        registry.register("outbound_tcp_errors", help, self.outbound_errors.clone());
        registry.register(
            "proxy_double_unwatched_connections",
            "Connections whose destination is not watched, since too many others are",
            self.unwatched.clone(),
        );
    }
}

impl Direction {
    fn label(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// An open connection.
pub struct OpenConnection {
    metrics: TcpMetrics,
    side: Side,
    errno: String,
}

/// Counters of the bytes of a connection.
pub struct Bytes {
    /// Read from it.
    pub read: Counter,
    /// Written to it.
    pub written: Counter,
}

impl OpenConnection {
    /// Where its bytes are counted.
    pub fn bytes(&self) -> Bytes {
        Bytes {
            read: self.metrics.read.get_or_create_owned(&self.side),
            written: self.metrics.written.get_or_create_owned(&self.side),
        }
    }

    /// It ends with an error.
    pub fn failed(&mut self, error: &io::Error) {
        self.errno = error.raw_os_error().map_or_else(|| error.kind().to_string(), |errno| errno.to_string());
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.metrics.open.get_or_create(&self.side).dec();
        let Side { direction, peer, tls } = self.side;
        let close = Close { direction, peer, tls, errno: std::mem::take(&mut self.errno) };
        self.metrics.closed.get_or_create(&close).inc();
    }
}
