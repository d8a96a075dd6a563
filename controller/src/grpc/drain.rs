//! The end of streams when a process stops: with OK, and spread over time.
//!
//! A proxy whose stream ends comes back within milliseconds. If all streams ended at once, all proxies
//! would come back at once, to the replicas that are left.

use super::Encoded;
use futures::{Stream, StreamExt};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time over which the ends of streams are spread.
const SPREAD: Duration = Duration::from_secs(2);

/// When open streams end.
#[derive(Clone)]
pub struct DrainSpread {
    shutdown: CancellationToken,
    spread: Duration,
}

impl DrainSpread {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, spread: SPREAD }
    }

    async fn end(self) {
        self.shutdown.cancelled().await;
        tokio::time::sleep(self.spread.mul_f64(rand::random::<f64>())).await;
    }
}

pub(super) fn until_drained(
    stream: Encoded,
    drain: DrainSpread,
) -> impl Stream<Item = Result<bytes::Bytes, tonic::Status>> + Send + 'static {
    stream.take_until(drain.end())
}
