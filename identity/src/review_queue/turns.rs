//! Whose token is reviewed when.

use crate::core::token::Claims;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use std::time::Duration;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

/// Longest time that a token waits for its turn. A proxy waits for ever, so it must be told in the end.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Reviews at the same time: enough to keep an API server busy, few enough to keep it alive, and each costs
/// a connection.
pub const AT_ONCE: usize = 32;

/// How long turns are counted before newcomers are judged by their number.
const PACE: Duration = Duration::from_secs(5);

/// Turns that are never taken by renewals.
const FOR_FIRST: usize = 8;

/// A token that was issued within this time is that of a pod that has just started. Kubelets keep one for
/// most of a day.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// How urgent a certificate is.
///
/// A pod whose proxy has no certificate does nothing at all, while a renewal comes hours before the old one
/// ends. The age of the token tells the two apart, because a kubelet requests it when the pod starts. That
/// holds on every replica and after a restart, unlike a memory of what was issued, and costs no handshake
/// with client certificates. A proxy that is started again in an old pod is taken for a renewal; it waits
/// its turn among those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// The first of a pod.
    First,
    /// Not the first, or nobody can say.
    Renewal,
}

impl Urgency {
    /// By what a token says of itself. One that lies gains a place in a line that moves anyhow.
    pub fn of(claims: Claims, now: Timestamp) -> Self {
        let is_fresh = claims.issued.is_some_and(|issued| now < issued.saturating_add(FRESH).unwrap_or(issued));
        if is_fresh { Self::First } else { Self::Renewal }
    }
}

/// Too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Gives turns, first come, first served. Renewals leave some of them to first certificates: however many
/// wait, a first certificate waits for no more than those that are under way.
pub struct Turns {
    all: Semaphore,
    renewals: Semaphore,
    waiting: Gauge,
    pace: Mutex<Pace>,
}

/// How fast turns end while others wait for them. Not how long they take: when thousands come at once, most of
/// that is this process looking at the rest.
#[derive(Default)]
struct Pace {
    /// Since when turns are counted; `None` while nobody waits.
    since: Option<Instant>,
    ended: u64,
    /// Turns in a second, once it is known.
    per_second: Option<f64>,
}

/// A turn, until it is dropped.
pub struct Turn<'a> {
    pace: &'a Mutex<Pace>,
    _turn: SemaphorePermit<'a>,
    _renewal: Option<SemaphorePermit<'a>>,
}

/// One who waits, until it is dropped.
struct Waiting<'a>(&'a Gauge);

impl Turns {
    /// Starts with nobody; those who wait are shown in a gauge.
    pub fn new(waiting: Gauge) -> Self {
        Self {
            all: Semaphore::new(AT_ONCE),
            renewals: Semaphore::new(AT_ONCE - FOR_FIRST),
            waiting,
            pace: Mutex::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// At once when the turn would come too late at the pace of the last seconds; else when it did not come.
    pub async fn take(&self, urgency: Urgency) -> Result<Turn<'_>, Busy> {
        let ahead = self.waiting.inc();
        let _waiting = Waiting(&self.waiting);
        if self.pace.lock().expected(ahead, Instant::now()) > LONGEST_WAIT {
            return Err(Busy);
        }
        let turn = async {
            let renewal = match urgency {
                Urgency::First => None,
                Urgency::Renewal => Some(self.renewals.acquire().await),
            };
            (renewal.transpose(), self.all.acquire().await)
        };
        match timeout(LONGEST_WAIT, turn).await {
            Ok((Ok(renewal), Ok(turn))) => Ok(Turn { pace: &self.pace, _turn: turn, _renewal: renewal }),
            // Neither semaphore is ever closed.
            Ok(_) | Err(_) => Err(Busy),
        }
    }
}

impl Pace {
    /// How long those wait who come after so many others.
    fn expected(&mut self, ahead: i64, now: Instant) -> Duration {
        if ahead == 0 {
            *self = Self::default();
            return Duration::ZERO;
        }
        let since = *self.since.get_or_insert(now);
        let time = now.duration_since(since);
        if time >= PACE {
            self.per_second = Some(self.ended as f64 / time.as_secs_f64());
            (self.since, self.ended) = (Some(now), 0);
        }
        let seconds = self.per_second.map_or(0.0, |per_second| ahead as f64 / per_second);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pace.lock().ended += 1;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
