//! Watches as streams of encoded messages.

use super::request::LookupError;
use crate::index::{Snapshot, Subscription};
use bytes::Bytes;
use futures::{StreamExt, stream};
use linkerd_controller::grpc::Encoded;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// Longest time that an answer is held back for something that is about to be known. Proxies give up
/// after 3 s.
pub(super) const HOLD: Duration = Duration::from_millis(2800);

/// Waits until every kind of object was listed.
pub(super) async fn synced(mut synced: watch::Receiver<bool>) -> Result<(), LookupError> {
    match timeout(HOLD, synced.wait_for(|synced| *synced)).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(LookupError::NotSynced),
    }
}

/// The first snapshot of a watch, if it comes soon.
pub(super) async fn first<T>(watch: &mut Subscription<T>) -> Option<Arc<Snapshot<T>>> {
    timeout(HOLD, next(watch)).await.ok().flatten()
}

/// The newest snapshot that was not seen yet, once there is one; nothing when the watch has ended.
async fn next<T>(watch: &mut Subscription<T>) -> Option<Arc<Snapshot<T>>> {
    loop {
        watch.updates.changed().await.ok()?;
        let newest = watch.updates.borrow_and_update().clone();
        if newest.is_some() {
            return newest;
        }
    }
}

/// Sends a first snapshot and then each newest one, until the watch ends.
///
/// A client that reads slowly misses those in between. What it has already is not sent again.
pub(super) fn encoded<T: Send + Sync + 'static>(
    first: Arc<Snapshot<T>>,
    watch: Subscription<T>,
    encode: fn(&T) -> Bytes,
) -> Encoded {
    struct Stream<T> {
        pending: Option<Arc<Snapshot<T>>>,
        watch: Subscription<T>,
        sent: Bytes,
    }
    let state = Stream { pending: Some(first), watch, sent: Bytes::new() };
    let messages = stream::unfold(state, move |mut state| async move {
        loop {
            let snapshot = match state.pending.take() {
                Some(first) => first,
                None => next(&mut state.watch).await?,
            };
            let message = snapshot.encoded(encode);
            if message != state.sent {
                state.sent = message.clone();
                return Some((Ok(message), state));
            }
        }
    });
    messages.boxed()
}
