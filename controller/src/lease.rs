//! Leader election: of the replicas of a process, the one that holds a Lease does a piece of work.
//!
//! The protocol is that of Kubernetes' own components: a candidate takes the Lease when nobody holds it,
//! or when it saw no renewal for as long as the holder had asked for; every write carries the version that
//! was read, so of two candidates one is told to look again. Times are measured on the candidate's own
//! monotonic clock, from the moment at which it saw a change, so clocks of machines may differ as they
//! like. A holder that could not renew stops its work after [`Timing::renew_deadline`], long before
//! another may take over after [`Timing::duration`].

mod candidacy;
mod error;
mod record;
mod status;

pub use self::{
    candidacy::{Candidacy, Leadership, Timing},
    error::LeaseError,
};

use self::{record::Observed, status::Status};
use crate::tasks::Tasks;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use std::{convert::Infallible, future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Longest time that giving the Lease back may take when the process stops.
const RELEASE_DEADLINE: Duration = Duration::from_secs(3);
/// Share of the retry period by which candidates are spread.
const JITTER: f64 = 0.2;

/// A candidate.
pub struct Election {
    candidacy: Candidacy,
    api: Api<Lease>,
    status: Status,
    /// What others wrote last, and when this was seen.
    observed: Option<Observed>,
    /// The Lease as this candidate wrote it last, while nothing speaks against that.
    written: Option<Lease>,
}

/// The outcome of one attempt.
enum Attempt {
    /// The Lease is ours, and the work may go on until then.
    Held(Instant),
    /// Another has it; the time at which it may be taken, if that is known.
    Taken { holder: String, until: Option<Instant> },
}

impl Election {
    /// A candidate, whose standing the metrics and the diagnostics of the process show.
    pub fn new(client: Client, candidacy: Candidacy, tasks: &Tasks) -> Self {
        let api = Api::namespaced(client, &candidacy.namespace);
        let status = Status::new(&candidacy, tasks);
        Self { candidacy, api, status, observed: None, written: None }
    }

    /// Stands until `shutdown`, and does the work whenever this process leads: once for each time, dropped
    /// when the Lease is lost. Gives the Lease back in the end.
    ///
    /// # Errors
    /// Never: an API server that is away is tried again.
    pub async fn run<W, F>(mut self, shutdown: CancellationToken, mut work: W) -> Result<(), Infallible>
    where
        W: FnMut(Leadership) -> F,
        F: Future<Output = Infallible>,
    {
        while let Some(end) = self.acquire(&shutdown).await {
            let leadership = Leadership::lasting_until(end);
            self.status.won();
            let is_lost = tokio::select! {
                // The deadline is looked at before the work may take another step.
                biased;
                () = shutdown.cancelled() => false,
                () = self.keep(&leadership) => true,
                never = work(leadership.clone()) => match never {},
            };
            if !is_lost {
                break;
            }
        }
        // Even of a candidate an attempt may be under way that succeeds unheard.
        if timeout(RELEASE_DEADLINE, self.release()).await.is_err() {
            self.status.failed(&self.error("release", None));
        }
        Ok(())
    }

    /// Tries until the Lease is ours; `None` when the process stops first.
    async fn acquire(&mut self, shutdown: &CancellationToken) -> Option<Instant> {
        loop {
            let attempt = tokio::select! {
                () = shutdown.cancelled() => return None,
                attempt = self.attempt() => attempt,
            };
            let mut pause = self.jittered_retry();
            match attempt {
                Ok(Attempt::Held(end)) => return Some(end),
                Ok(Attempt::Taken { holder, until }) => {
                    self.status.held_by(&holder);
                    // The moment at which it may be taken does not wait for the next turn.
                    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                    pause = left.filter(|left| !left.is_zero()).map_or(pause, |left| left.min(pause));
                }
                Err(error) => self.status.failed(&error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = sleep(pause) => {}
            }
        }
    }

    /// Renews until that fails for too long, or another has the Lease.
    async fn keep(&mut self, leadership: &Leadership) {
        loop {
            let end = leadership.end();
            let renewal = timeout_at(end, async {
                loop {
                    sleep(self.candidacy.timing.retry_period).await;
                    match self.attempt().await {
                        Ok(attempt) => return attempt,
                        Err(error) => self.status.failed(&error),
                    }
                }
            });
            match renewal.await {
                Ok(Attempt::Held(end)) => {
                    self.status.renewed();
                    leadership.extend(end);
                }
                Ok(Attempt::Taken { holder, .. }) => return self.status.lost_to(&holder),
                Err(_) => return self.status.expired(self.candidacy.timing.renew_deadline),
            }
        }
    }

    /// Takes or renews the Lease if that is right now.
    async fn attempt(&mut self) -> Result<Attempt, LeaseError> {
        // What is not known to have been written may have been.
        if let Some(lease) = self.written.take() {
            let started = Instant::now();
            match self.write(lease).await {
                Ok(()) => return Ok(self.held_since(started)),
                Err(error) if error.is_about_the_version() => {}
                Err(error) => return Err(error),
            }
        }
        let found = self.answer("read", self.api.get_opt(&self.candidacy.name)).await?;
        let observed = match &found {
            Some(lease) => Some(Observed::update(self.observed.take(), lease.spec.as_ref())),
            // The holder of a Lease that somebody deleted may not know yet: what was seen holds on.
            None => self.observed.take(),
        };
        self.observed = observed;
        if let Some(taken) = self.observed.as_ref().and_then(|observed| self.taken(observed)) {
            return Ok(taken);
        }
        let Some(lease) = found else { return self.create().await };
        let started = Instant::now();
        match self.write(lease).await {
            Ok(()) => Ok(self.held_since(started)),
            Err(error) if error.is_about_the_version() => Ok(Attempt::Taken { holder: String::new(), until: None }),
            Err(error) => Err(error),
        }
    }

    /// That another has the Lease, if it does.
    fn taken(&self, observed: &Observed) -> Option<Attempt> {
        let (holder, until) = (observed.holder(), observed.free_at(self.candidacy.timing.duration));
        let is_free = holder.is_empty() || holder == self.candidacy.identity || until <= Instant::now();
        (!is_free).then(|| Attempt::Taken { holder: holder.to_owned(), until: Some(until) })
    }

    async fn create(&mut self) -> Result<Attempt, LeaseError> {
        let metadata = ObjectMeta { name: Some(self.candidacy.name.clone()), ..ObjectMeta::default() };
        let mut lease = Lease { metadata, ..Lease::default() };
        lease.spec = Some(self.renewed(LeaseSpec::default()));
        let started = Instant::now();
        match self.answer("create", self.api.create(&PostParams::default(), &lease)).await {
            Ok(lease) => self.written = Some(lease),
            Err(error) if error.is_about_the_version() => {
                return Ok(Attempt::Taken { holder: String::new(), until: None });
            }
            Err(error) => return Err(error),
        }
        Ok(self.held_since(started))
    }

    /// Writes our name and the time over what was read.
    async fn write(&mut self, mut lease: Lease) -> Result<(), LeaseError> {
        lease.spec = Some(self.renewed(lease.spec.take().unwrap_or_default()));
        self.written = Some(self.replace("update", &lease).await?);
        Ok(())
    }

    fn renewed(&self, spec: LeaseSpec) -> LeaseSpec {
        record::renewed(spec, &self.candidacy.identity, self.candidacy.timing.duration, Timestamp::now())
    }

    /// The holder counts from before its request, the others from after their answer.
    fn held_since(&self, started: Instant) -> Attempt {
        Attempt::Held(started + self.candidacy.timing.renew_deadline)
    }

    /// Gives the Lease back if it is ours, so that another need not wait.
    async fn release(&mut self) {
        loop {
            let lease = match self.answer("read", self.api.get_opt(&self.candidacy.name)).await {
                Ok(lease) => lease,
                Err(error) => return self.status.failed(&error),
            };
            let is_ours = |lease: &Lease| record::holder(lease.spec.as_ref()) == self.candidacy.identity;
            let Some(mut lease) = lease.filter(is_ours) else { return };
            lease.spec = lease.spec.map(|spec| record::released(spec, Timestamp::now()));
            match self.replace("release", &lease).await {
                Ok(_) => return self.status.released(),
                Err(error) if error.is_about_the_version() => {}
                Err(error) => return self.status.failed(&error),
            }
        }
    }

    async fn replace(&self, action: &'static str, lease: &Lease) -> Result<Lease, LeaseError> {
        let (name, params) = (&self.candidacy.name, PostParams::default());
        self.answer(action, self.api.replace(name, &params, lease)).await
    }

    async fn answer<T>(
        &self,
        action: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        match timeout(self.candidacy.timing.request(), request).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(self.error(action, Some(source))),
            Err(_) => Err(self.error(action, None)),
        }
    }

    fn error(&self, action: &'static str, source: Option<kube::Error>) -> LeaseError {
        let Candidacy { namespace, name, .. } = &self.candidacy;
        LeaseError::new(action, namespace, name, source)
    }

    fn jittered_retry(&self) -> Duration {
        self.candidacy.timing.retry_period.mul_f64(1.0 + JITTER * rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests;
