//! Servers: a listening socket, optional TLS, one router, limits and a drain with a deadline.
//!
//! The admin, webhook and gRPC servers differ in their router alone.

mod together;

use self::together::Streams;
use crate::{args::ListenAddr, tls::CurrentCertificate};
use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What a client may take, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest time for the TLS handshake.
    pub handshake: Duration,
    /// Longest time for the headers of an HTTP/1 request.
    pub header_read: Duration,
    /// HTTP/2 streams of one connection.
    pub streams_per_connection: u32,
    /// Bytes of the headers of one HTTP/2 request.
    pub header_bytes: u32,
    /// Longest time that requests in flight may take once the process stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(15),
            streams_per_connection: 20_000,
            header_bytes: 16 * 1024,
            drain: Duration::from_secs(5),
        }
    }
}

/// Closes the connection that a request came by; among the extensions of each request.
#[derive(Clone, Debug, Default)]
pub struct Hangup(CancellationToken);

impl Hangup {
    /// Closes the connection, whatever is under way on it.
    pub fn close(&self) {
        self.0.cancel();
    }

    /// Whether it was closed by this.
    pub fn is_closed(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// A socket that listens.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}; choose another address, or stop the program that uses it")]
pub struct BindError {
    addr: ListenAddr,
    source: io::Error,
}

impl Listener {
    /// Listens on an address, both families where it names none.
    ///
    /// # Errors
    /// When no candidate of the address is free.
    pub fn bind(addr: ListenAddr) -> Result<Self, BindError> {
        let mut failure = None;
        for candidate in addr.candidates() {
            match bind(candidate) {
                Ok(socket) => return Ok(Self { socket, tls: None, limits: Limits::default() }),
                Err(error) => failure = Some(error),
            }
        }
        let source = failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        Err(BindError { addr, source })
    }

    /// Serves TLS.
    pub fn with_tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Serves TLS with a certificate, where there is one.
    ///
    /// # Errors
    /// When the crypto provider lacks TLS 1.3, which it does not.
    pub fn with_certificate(self, certificate: Option<&CurrentCertificate>) -> Result<Self, rustls::Error> {
        Ok(match certificate {
            Some(certificate) => self.with_tls(certificate.server_config(&[])?),
            None => self,
        })
    }

    /// The address that it listens on, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `shutdown`, then lets requests in flight end, up to the limit.
    ///
    /// # Errors
    /// Never, today; connections fail alone.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) -> io::Result<()> {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        tls: self.tls.clone().map(TlsAcceptor::from),
                        limits: self.limits,
                        router: router.clone(),
                        peer,
                        watcher: graceful.watcher(),
                        shutdown: shutdown.clone(),
                    };
                    tokio::spawn(connection.serve(stream));
                }
                // Out of file descriptors, most likely: waiting lets some be closed.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.socket);
        if tokio::time::timeout(self.limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(deadline = ?self.limits.drain, "requests in flight at the end of the drain are cut off");
        }
        Ok(())
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

struct Connection {
    tls: Option<TlsAcceptor>,
    limits: Limits,
    router: Router,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
    shutdown: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Failure leaves small messages delayed, nothing worse.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else {
            return self.serve_http(stream).await;
        };
        match tokio::time::timeout(self.limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake took too long"),
        }
    }

    async fn serve_http(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let hangup = Hangup::default();
        let router = self.router.layer(axum::Extension(ConnectInfo(self.peer)));
        let router = router.layer(axum::Extension(hangup.clone()));
        let streams = Streams::default();
        let mut server = auto::Builder::new(streams.clone());
        server.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.header_read);
        server
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams_per_connection)
            .max_header_list_size(self.limits.header_bytes)
            // A client that vanished without a word must not hold its streams for ever.
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let connection = server.serve_connection(TokioIo::new(io), TowerToHyperService::new(router));
        let served = tokio::select! {
            served = streams.with(self.watcher.watch(connection.into_owned())) => served,
            () = past_drain(self.shutdown, self.limits.drain) => return,
            () = hangup.0.cancelled() => return,
        };
        if let Err(error) = served {
            tracing::debug!(peer = %self.peer, error, "connection ended with an error");
        }
    }
}

async fn past_drain(shutdown: CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(drain).await;
}
