//! What the leader does: writes the slices of each Service of which there is news.

use super::{
    api::{Slices, WriteError},
    metrics::QueueMetrics,
    model::Content,
    plan::Plan,
    project,
    queue::Queue,
    state::State,
};
use crate::core::key::Key;
use futures::{StreamExt, stream::FuturesUnordered};
use linkerd_controller::{lease::Leadership, source::Shared};
use linkerd_k8s::EndpointSlice;
use std::convert::Infallible;
use tokio::time::{Instant, sleep_until};

/// Services whose slices are written at one time.
const CONCURRENCY: usize = 5;
/// Of failures in a row, each of this many is worth a warning.
const LOGGED: u32 = 10;

/// Writes slices while this process leads.
#[derive(Clone)]
pub struct Worker {
    /// What slices are planned from.
    pub state: Shared<State>,
    /// Slices in the cluster.
    pub slices: Slices,
    /// Metrics of the queue.
    pub metrics: QueueMetrics,
}

/// Makes the state collect what is to be done, as long as there is somebody to do it.
struct Leading(Shared<State>);

impl Leading {
    fn begin(state: &Shared<State>) -> Self {
        state.lock().lead();
        Self(state.clone())
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.0.lock().stand_by();
    }
}

impl Worker {
    /// Works until it is dropped.
    pub async fn work(self, leadership: Leadership) -> Infallible {
        let _leading = Leading::begin(&self.state);
        let wake = self.state.lock().wake();
        let mut queue = Queue::new(self.metrics.clone());
        let mut running = FuturesUnordered::new();
        loop {
            let now = Instant::now();
            self.state.lock().take_dirty().into_iter().for_each(|key| queue.add(key, now));
            while running.len() < CONCURRENCY
                && let Some(key) = queue.next(now)
            {
                running.push(self.written(key, &leadership));
            }
            let due = queue.next_due().filter(|_| running.len() < CONCURRENCY);
            tokio::select! {
                () = wake.notified() => {}
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
                Some((key, result)) = running.next() => self.ended(&mut queue, &key, result),
            }
        }
    }

    fn ended(&self, queue: &mut Queue, key: &Key, result: Result<(), WriteError>) {
        let now = Instant::now();
        let error = match result {
            Ok(()) => return queue.done(key, now),
            Err(WriteError::Terminating(namespace)) => {
                tracing::debug!(service = %key, namespace, "the namespace is terminating; its slices are left alone");
                self.metrics.dropped();
                return queue.done(key, now);
            }
            Err(error) => error,
        };
        let (retry_in, failures) = queue.failed(key, now);
        // What several writers do to each other wears off by itself.
        let wears_off = matches!(error, WriteError::Changed(_) | WriteError::Unsettled(_) | WriteError::NotLeading);
        if failures % LOGGED == 0 || (failures == 1 && !wears_off) {
            tracing::warn!(service = %key, failures, ?retry_in, "{error}");
        } else {
            tracing::debug!(service = %key, failures, ?retry_in, "{error}");
        }
    }

    async fn written(&self, key: Key, leadership: &Leadership) -> (Key, Result<(), WriteError>) {
        let result = self.write(&key, leadership).await;
        (key, result)
    }

    /// Writes what the slices of a Service need.
    async fn write(&self, key: &Key, leadership: &Leadership) -> Result<(), WriteError> {
        let Some((service, plan)) = self.state.lock().plan(key) else { return Ok(()) };
        if plan.is_empty() {
            return Ok(());
        }
        log(key, &plan);
        let mut is_settled = true;
        let lead = || if leadership.is_held() { Ok(()) } else { Err(WriteError::NotLeading) };
        for (family, content) in &plan.creates {
            lead()?;
            is_settled &= self.note(&self.slices.create(&service, *family, content).await?, content);
        }
        for (slice, content) in &plan.updates {
            lead()?;
            let updated = self.slices.update(slice, content).await;
            is_settled &= self.note(&self.looked_up(updated).await?, content);
        }
        for slice in &plan.deletes {
            lead()?;
            let deleted = self.slices.delete(slice).await;
            self.looked_up(deleted).await?;
            self.state.lock().erased(slice);
        }
        if is_settled { Ok(()) } else { Err(WriteError::Unsettled(key.clone())) }
    }

    /// Notes what was written; whether the API server keeps it as it was sent.
    fn note(&self, written: &EndpointSlice, sent: &Content) -> bool {
        self.state.lock().wrote(written);
        project::slice(written).is_some_and(|slice| slice.content == *sent)
    }

    /// Reads a slice that is not as it was taken to be, so that the next attempt knows.
    async fn looked_up<T>(&self, result: Result<T, WriteError>) -> Result<T, WriteError> {
        if let Err(WriteError::Changed(slice)) = &result {
            match self.slices.get(slice).await? {
                Some(found) => self.state.lock().found(&found),
                None => self.state.lock().erased(slice),
            }
        }
        result
    }
}

fn log(service: &Key, plan: &Plan) {
    let (creates, updates, deletes) = (plan.creates.len(), plan.updates.len(), plan.deletes.len());
    tracing::info!(%service, creates, updates, deletes, "writing EndpointSlices of external workloads");
}
