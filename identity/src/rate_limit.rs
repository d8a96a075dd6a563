//! How often one pod may ask.
//!
//! A pod is known by the address that it connects from, which it cannot choose, unlike everything that its
//! request says. So a pod that asks without a pause, with tokens made up or not, costs the API server next to
//! nothing and delays nobody else. Loopback is not limited: it is a proxy beside this process, through which
//! all come, or a test.

use crate::{denied::Denied, metrics::Metrics};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::time::Instant;
use tonic::Status;

/// Requests that an address may make at once. A proxy asks every ten seconds at most, but some networks hide
/// the pods of a node behind its address, and these may start together.
const BURST: f64 = 256.0;

/// Requests that it may make each second after that.
const PER_SECOND: f64 = 16.0;

/// Limits what each address may ask.
#[derive(Default)]
pub struct RateLimit(Mutex<HashMap<IpAddr, Bucket>>);

/// What an address may still ask.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn left(&self, now: Instant) -> f64 {
        (self.left + now.duration_since(self.at).as_secs_f64() * PER_SECOND).min(BURST)
    }
}

impl RateLimit {
    /// Whether an address may ask now; if so, it has.
    pub fn admits(&self, address: IpAddr, now: Instant) -> bool {
        let address = address.to_canonical();
        if address.is_loopback() {
            return true;
        }
        let mut buckets = self.0.lock();
        // Addresses that may ask all they like are forgotten; swept when the map would grow, so that a sweep
        // is cheap on average.
        if buckets.len() == buckets.capacity() {
            buckets.retain(|_, bucket| bucket.left(now) < BURST);
            let wanted = buckets.len() * 2;
            buckets.shrink_to(wanted);
        }
        let bucket = buckets.entry(address).or_insert(Bucket { left: BURST, at: now });
        let left = bucket.left(now);
        let is_admitted = left >= 1.0;
        *bucket = Bucket { left: if is_admitted { left - 1.0 } else { left }, at: now };
        is_admitted
    }
}

/// What the middleware knows.
#[derive(Clone)]
struct Limited {
    limit: Arc<RateLimit>,
    metrics: Metrics,
}

/// Refuses requests of a server's clients that ask too often, before anything of them is read.
pub fn limited(router: Router, metrics: Metrics) -> Router {
    let limited = Limited { limit: Arc::default(), metrics };
    router.layer(middleware::from_fn_with_state(limited, admit))
}

async fn admit(State(limited): State<Limited>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if peer.is_none_or(|peer| limited.limit.admits(peer, Instant::now())) {
        return next.run(request).await;
    }
    limited.metrics.denied(&Denied::TooOften);
    Status::from(Denied::TooOften).into_http::<Body>()
}

#[cfg(test)]
mod tests;
