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

/// Ends a stream some time after `shutdown`, with OK.
pub(super) fn until_drained(
    stream: Encoded,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<bytes::Bytes, tonic::Status>> + Send + 'static {
    stream.take_until(async move {
        shutdown.cancelled().await;
        tokio::time::sleep(SPREAD.mul_f64(rand::random::<f64>())).await;
    })
}
