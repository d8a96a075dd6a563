//! Serving until told to stop, and then a little longer.

use std::{
    future::{Future, pending},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// How far a role is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// Asked to stop: no new work of its own, but what is asked of it is done.
    Stopping,
    /// New connections are refused; requests that came are finished.
    Closing,
}

/// The wish that this process ends.
#[derive(Clone)]
pub struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Listens to the signals: SIGTERM closes after `delay`; a second one, or an interrupt, at once.
    ///
    /// # Errors
    /// When the system refuses to tell signals.
    pub fn listen(delay: Duration) -> anyhow::Result<Self> {
        let context = "cannot wait for signals";
        let terminate = signal(SignalKind::terminate()).context(context)?;
        let interrupt = signal(SignalKind::interrupt()).context(context)?;
        let (phase, receiver) = watch::channel(Phase::Running);
        tokio::spawn(follow(terminate, interrupt, phase, delay));
        Ok(Self(receiver))
    }

    /// Waits until the process is asked to stop.
    pub async fn stopping(self) {
        self.reached(Phase::Stopping).await;
    }

    /// Waits until nobody should come any more.
    async fn closing(self) {
        self.reached(Phase::Closing).await;
    }

    async fn reached(mut self, phase: Phase) {
        if self.0.wait_for(|now| *now >= phase).await.is_err() {
            // Nobody listens to signals any more, so none will come.
            pending::<()>().await;
        }
    }
}

async fn follow(mut terminate: Signal, mut interrupt: Signal, phase: watch::Sender<Phase>, delay: Duration) {
    tokio::select! {
        _ = terminate.recv() => {
            tracing::info!(seconds = delay.as_secs(), "asked to stop; still serving, so that clients leave first");
            phase.send_replace(Phase::Stopping);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    phase.send_replace(Phase::Closing);
    // The last sender stays, so that those who ask later are told too.
    phase.closed().await;
}

/// Serves on a port of all addresses until the process stops, and finishes what was asked.
///
/// # Errors
/// When the port is taken.
pub async fn serve(port: u16, router: Router, stop: Stop) -> anyhow::Result<()> {
    let listener = bind(port).await.with_context(|| format!("cannot listen on port {port}"))?;
    tracing::info!(port, "serving");
    Ok(serve_on(listener, router, stop.closing()).await?)
}

async fn serve_on(
    listener: TcpListener,
    router: Router,
    closing: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(closing).await
}

/// Takes both families; a machine without IPv6 has only the other one.
async fn bind(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).await
        }
        bound => bound,
    }
}
