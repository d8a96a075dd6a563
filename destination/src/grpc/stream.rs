//! Streams: each remembers what its client has, and sends what that lacks.

use super::{delivery::Delivery, wire::Wire};
use crate::index::{
    Index, Lease,
    snapshot::{Messages, ProfileSnapshot, Snapshot},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use linkerd_controller::{grpc::Encoded, source::Shared};
use std::{sync::Arc, time::Instant};
use tokio::sync::watch;

/// The snapshots of what a stream watches. Ends the watch when it is dropped.
pub struct Subscription<T> {
    receiver: watch::Receiver<Arc<T>>,
    lease: Lease,
    index: Shared<Index>,
}

impl<T> Subscription<T> {
    /// Takes over a watch.
    pub fn new(index: &Shared<Index>, (receiver, lease): (watch::Receiver<Arc<T>>, Lease)) -> Self {
        Self { receiver, lease, index: index.clone() }
    }

    /// The newest snapshot: at first the present one, then once there is one that was not seen.
    async fn next(&mut self, is_first: bool) -> Option<Arc<T>> {
        if !is_first {
            self.receiver.changed().await.ok()?;
        }
        Some(self.receiver.borrow_and_update().clone())
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.index.lock().release(&self.lease);
    }
}

struct Endpoints {
    subscription: Subscription<Snapshot>,
    wire: Arc<Wire>,
    /// What the client has once `messages` are sent.
    has: Option<Arc<Snapshot>>,
    messages: Messages,
    sent: usize,
    /// Since when the client lacks what `messages` say.
    lacked: Option<Instant>,
    delivery: Delivery,
}

/// Messages of `Get`. A client that does not read holds back nothing but itself: it has the newest set
/// one step after it reads again.
pub fn endpoints(subscription: Subscription<Snapshot>, wire: Arc<Wire>, delivery: Delivery) -> Encoded {
    let (messages, has, lacked) = (Messages::default(), None, None);
    let state = Endpoints { subscription, wire, has, messages, sent: 0, lacked, delivery };
    stream::unfold(state, |mut state| async move {
        state.delivery.taken();
        while state.sent == state.messages.len() {
            let newest = state.subscription.next(state.has.is_none()).await?;
            state.messages = newest.messages_for(state.has.as_deref(), &*state.wire);
            state.lacked = state.has.as_ref().map(|has| newest.lacked_with(has));
            state.has = Some(newest);
            state.sent = 0;
        }
        let message = state.messages[state.sent].clone();
        state.sent += 1;
        let mut lacked = None;
        if state.sent == state.messages.len() {
            (state.messages, state.sent) = (Messages::default(), 0);
            lacked = state.lacked.take();
        }
        state.delivery.given(lacked);
        Some((Ok(message), state))
    })
    .boxed()
}

struct Profile {
    subscription: Subscription<ProfileSnapshot>,
    wire: Arc<Wire>,
    /// What the client has.
    has: Option<(Arc<ProfileSnapshot>, Bytes)>,
    delivery: Delivery,
}

/// Messages of `GetProfile`. One that equals the last is not sent.
pub fn profile(subscription: Subscription<ProfileSnapshot>, wire: Arc<Wire>, delivery: Delivery) -> Encoded {
    let state = Profile { subscription, wire, has: None, delivery };
    stream::unfold(state, |mut state| async move {
        state.delivery.taken();
        loop {
            let newest = state.subscription.next(state.has.is_none()).await?;
            let message = newest.message(|profile| state.wire.profile(profile));
            let lacked = state.has.as_ref().map(|(has, _)| newest.lacked_with(has));
            let is_news = state.has.as_ref().is_none_or(|(_, sent)| *sent != message);
            state.has = Some((newest, message.clone()));
            if is_news {
                state.delivery.given(lacked);
                return Some((Ok(message), state));
            }
        }
    })
    .boxed()
}
