//! Connections to the control plane: HTTP/2 with prior knowledge, one to each server, opened again
//! with a growing pause when it breaks.
//!
//! There is no channel of a library here, because those add headers that the proxy does not send.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;

use crate::backoff::Backoff;
use crate::config::{Peer, Timing};

const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 1_048_576;

/// How to connect to one server.
#[derive(Clone)]
pub struct Connector {
    peer: Peer,
    tls: Arc<ClientConfig>,
    timing: Timing,
}

impl Connector {
    /// Connects to `peer`; `tls` serves if it has a server name.
    pub fn new(peer: Peer, tls: Arc<ClientConfig>, timing: Timing) -> Self {
        Self { peer, tls, timing }
    }

    /// The server.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What requests are made to: the address without the final dot of the name, and without port 80.
    pub fn origin(&self) -> Result<Uri> {
        let (host, port) = self.peer.address.rsplit_once(':').context("the address has no port")?;
        let host = host.trim_end_matches('.');
        let authority = if port == "80" { host.to_owned() } else { format!("{host}:{port}") };
        Ok(format!("http://{authority}").parse()?)
    }

    /// Pauses between attempts.
    pub fn backoff(&self) -> Backoff {
        let Timing { min_backoff, max_backoff, max_backoff_on_loopback, .. } = self.timing;
        Backoff::new(min_backoff, if self.peer.is_loopback() { max_backoff_on_loopback } else { max_backoff })
    }

    /// Opens a connection, to the first of the server's addresses that takes one.
    pub async fn connect(&self) -> Result<Http2> {
        let limit = if self.peer.is_loopback() { self.timing.connect_on_loopback } else { self.timing.connect };
        // Only names of the cluster keep their final dot, which spares the search for longer ones; what
        // is in the hosts file has none.
        let address = match self.peer.is_loopback() {
            true => self.peer.address.replace(".:", ":"),
            false => self.peer.address.clone(),
        };
        let mut failure = anyhow!("the name has no address");
        for address in lookup_host(&address).await.with_context(|| format!("cannot resolve {address}"))? {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.handshake(stream).await,
                Ok(Err(error)) => failure = error.into(),
                Err(_) => failure = anyhow!("no connection within {limit:?}"),
            }
        }
        Err(failure.context(format!("cannot connect to {address}")))
    }

    async fn handshake(&self, stream: TcpStream) -> Result<Http2> {
        stream.set_nodelay(true)?;
        match &self.peer.server_name {
            None => http2(stream).await,
            Some(name) => {
                let name = ServerName::try_from(name.clone())?;
                let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
                http2(connector.connect(name, stream).await.context("TLS handshake")?).await
            }
        }
    }
}

async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Http2> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // It ends when the server closes it, or when the last sender and stream are gone.
    tokio::spawn(connection);
    Ok(Http2(sender))
}

/// An open connection.
#[derive(Clone, Debug)]
pub struct Http2(SendRequest<Body>);

impl tower::Service<Request<Body>> for Http2 {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// The connection to a server, which all streams to it share.
#[derive(Clone)]
pub struct Connection {
    connector: Connector,
    origin: Uri,
    slot: Arc<Mutex<Slot>>,
    opened: Arc<AtomicU64>,
}

struct Slot {
    open: Option<Http2>,
    backoff: Backoff,
}

impl Connection {
    /// A connection that is opened when it is first wanted.
    pub fn new(connector: Connector) -> Result<Self> {
        let origin = connector.origin()?;
        let slot = Slot { open: None, backoff: connector.backoff() };
        Ok(Self { connector, origin, slot: Arc::new(Mutex::new(slot)), opened: Arc::default() })
    }

    /// The server.
    pub fn peer(&self) -> &Peer {
        self.connector.peer()
    }

    /// What requests are made to.
    pub fn origin(&self) -> Uri {
        self.origin.clone()
    }

    /// Pauses between attempts of a stream.
    pub fn backoff(&self) -> Backoff {
        self.connector.backoff()
    }

    /// How many times it was opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// The open connection; waits until there is one, but not for ever.
    pub async fn ready(&self) -> Result<Http2, Status> {
        let limit: Duration = self.connector.timing.unreachable;
        let opened = timeout(limit, self.open()).await;
        opened.map_err(|_| Status::unavailable(format!("{} is unreachable", self.peer().address)))
    }

    async fn open(&self) -> Http2 {
        let mut slot = self.slot.lock().await;
        loop {
            if let Some(open) = slot.open.as_ref().filter(|open| !open.0.is_closed()) {
                return open.clone();
            }
            match self.connector.connect().await {
                Ok(open) => {
                    slot.backoff.reset();
                    self.opened.fetch_add(1, Ordering::Relaxed);
                    slot.open = Some(open);
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "no connection; it is tried again");
                    slot.backoff.pause().await;
                }
            }
        }
    }
}
