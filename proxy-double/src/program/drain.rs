//! Stopping: listeners close at once, connections may end by themselves for some time.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The wish to stop, and what is under way.
#[derive(Clone)]
pub struct Drain {
    stop: CancellationToken,
    /// Connections that are forwarded.
    pub connections: TaskTracker,
    grace: Duration,
}

impl Drain {
    /// Stops with SIGTERM or SIGINT; only the first one matters.
    ///
    /// # Errors
    /// When the system refuses to tell signals.
    pub fn listen(grace: Duration) -> Result<Self> {
        let drain = Self { stop: CancellationToken::new(), connections: TaskTracker::new(), grace };
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let mut signal = signal(kind).context("cannot wait for signals")?;
            let stop = drain.stop.clone();
            tokio::spawn(async move {
                signal.recv().await;
                stop.cancel();
            });
        }
        Ok(drain)
    }

    /// Stops, as a signal does.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether it stops.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until it stops.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Waits for the servers and the connections under way, but not longer than the grace period.
    pub async fn finish(&self, servers: JoinSet<Result<()>>) {
        self.connections.close();
        tracing::info!(connections = self.connections.len(), "stopping");
        let under_way = async { tokio::join!(self.connections.wait(), servers.join_all()) };
        if tokio::time::timeout(self.grace, under_way).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "the grace period is over; connections are cut");
        }
    }
}
