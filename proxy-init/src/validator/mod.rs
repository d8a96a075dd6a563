//! `linkerd2-network-validator`: tells whether a connection to an address that does not exist
//! arrives at a listener of its own, as it does where traffic is redirected.
//!
//! Inbound redirection cannot be seen from within a pod: the kernel settles the fate of a
//! connection that the pod makes to itself before the rules for inbound connections would see it.

pub mod args;
pub mod duration;
pub mod probe;

use args::{Args, LogFormat, Stop};
use probe::{Token, Unvalidated};
use socket2::{Domain, Socket, Type};
use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    process::ExitCode,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Name under which log lines are written.
const TARGET: &str = "linkerd_network_validator";
/// By this exit code the repair controller knows that a pod lacks its rules.
const UNVALIDATED: u8 = 95;
const BAD_ARGUMENTS: u8 = 2;

/// Why the traffic was not found to be redirected.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("Failed to bind server on {addr}: {source}; --listen-addr must be a free address of this pod")]
    Listen {
        addr: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    #[error("Killed by {0}")]
    Killed(&'static str),
    #[error(
        "Failed to validate networking configuration. Please ensure iptables rules are rewriting traffic as expected."
    )]
    Unvalidated { timeout: Duration, reasons: Vec<Unvalidated> },
}

/// The whole program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::read(arguments) {
        Ok(args) => args,
        Err(Stop::Text(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(Stop::Invalid(reason)) => {
            eprintln!("error: {reason}");
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    start_log(args.log_level.clone(), args.log_format);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start);
    match runtime.and_then(|runtime| runtime.block_on(validate(&args))) {
        Ok(()) => {
            tracing::info!(target: TARGET, "Validated");
            ExitCode::SUCCESS
        }
        Err(error) => {
            log_error(&error);
            ExitCode::from(UNVALIDATED)
        }
    }
}

fn start_log(level: Targets, format: LogFormat) {
    let registry = tracing_subscriber::registry().with(level);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    match format {
        LogFormat::Plain => registry.with(layer).init(),
        LogFormat::Json => registry.with(layer.json()).init(),
    }
}

fn log_error(error: &Error) {
    if let Error::Unvalidated { timeout, reasons } = error {
        for reason in reasons {
            tracing::error!(target: TARGET, addr = %reason.addr, "{}", reason.last);
        }
        tracing::error!(target: TARGET, ?timeout, "{error}");
    } else {
        tracing::error!(target: TARGET, "{error}");
    }
}

async fn validate(args: &Args) -> Result<(), Error> {
    let mut terminated = signal(SignalKind::terminate()).map_err(Error::Start)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::Start)?;
    let token = Token::random();
    let listener = listen(args.listen_addr).map_err(|source| Error::Listen { addr: args.listen_addr, source })?;
    tracing::info!(target: TARGET, "Listening for connections on {}", args.listen_addr);
    tokio::select! {
        result = probe_all(args, &token) => result,
        () = probe::serve(&listener, &token) => Ok(()),
        _ = terminated.recv() => Err(Error::Killed("SIGTERM")),
        _ = interrupted.recv() => Err(Error::Killed("SIGINT")),
    }
}

async fn probe_all(args: &Args, token: &Token) -> Result<(), Error> {
    let other = async {
        match other_family(args.listen_addr, args.connect_addr).filter(has_route) {
            Some(addr) => probe::until_redirected(addr, token, args.timeout).await,
            None => Ok(()),
        }
    };
    let results = tokio::join!(probe::until_redirected(args.connect_addr, token, args.timeout), other);
    let reasons: Vec<_> = [results.0, results.1].into_iter().filter_map(Result::err).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Error::Unvalidated { timeout: args.timeout, reasons }) }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if addr.is_ipv6() {
        // Redirected IPv4 connections are to arrive here too, whatever the node's default.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

/// An address of the IP version that was not asked for, if its connections would arrive here too.
fn other_family(listen: SocketAddr, connect: SocketAddr) -> Option<SocketAddr> {
    if !(listen.is_ipv6() && listen.ip().is_unspecified()) {
        return None;
    }
    match connect {
        SocketAddr::V4(_) => Some((Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), 20001).into()),
        SocketAddr::V6(_) => Some((Ipv4Addr::new(192, 0, 2, 2), 1404).into()),
    }
}

/// Whether the pod has an address from which it could connect there. Sends nothing.
fn has_route(addr: &SocketAddr) -> bool {
    let unspecified: SocketAddr = match addr {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(unspecified).and_then(|socket| socket.connect(addr)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_ip_version_is_probed_only_where_its_connections_would_arrive() {
        let other = |listen: &str, connect: &str| {
            other_family(listen.parse().unwrap(), connect.parse().unwrap()).map(|addr| addr.to_string())
        };
        assert_eq!(other("[::]:4140", "[fd00::1]:20001").as_deref(), Some("192.0.2.2:1404"));
        assert_eq!(other("[::]:4140", "1.1.1.1:20001").as_deref(), Some("[fd00::1]:20001"));
        assert_eq!(other("0.0.0.0:4140", "1.1.1.1:20001"), None);
        assert_eq!(other("[::1]:4140", "[fd00::1]:20001"), None);
    }
}
