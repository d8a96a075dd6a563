//! Watches of a cluster.

use super::{Need, Scope, Shared, Sink, decoded::Decoded, status::WatchStatus};
use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    runtime::watcher::{self, Config, DefaultBackoff, Event, watcher},
};
use linkerd_k8s::{ObjectId, Resource};
use std::{collections::HashSet, convert::Infallible, time::Duration};

/// How often a kind that the cluster lacks is looked for.
const ABSENT_POLL: Duration = Duration::from_secs(5);

/// Longest life of one watch request, in seconds. A connection that died silently is noticed this long
/// after it did, plus five seconds.
const WATCH_SECONDS: u32 = 120;

/// Objects of one page of a list.
const PAGE: u32 = 100;

/// Watches one kind for ever. Errors are tried again, with backoff.
pub(super) async fn watch<T: Resource, S: Sink<T>>(
    client: Client,
    scope: Scope,
    sink: Shared<S>,
    status: WatchStatus,
) -> Result<(), Infallible> {
    let api: Api<Decoded<T>> = match &scope.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut streaming = true;
    loop {
        let marker = std::marker::PhantomData;
        let progress = Watch { sink: &sink, status: &status, live: None, streaming, is_listing: true, marker };
        streaming = progress.run(api.clone(), config(&scope, streaming)).await;
    }
}

fn config(scope: &Scope, streaming: bool) -> Config {
    let mut config = Config::default().timeout(WATCH_SECONDS).page_size(PAGE);
    if let Some(selector) = &scope.label_selector {
        config = config.labels(selector);
    }
    if let Some(selector) = &scope.field_selector {
        config = config.fields(selector);
    }
    if streaming { config.streaming_lists() } else { config }
}

struct Watch<'a, T, S> {
    sink: &'a Shared<S>,
    status: &'a WatchStatus,
    /// Objects seen in the list that is under way.
    live: Option<HashSet<ObjectId>>,
    /// Whether lists are streamed.
    streaming: bool,
    /// Whether a list is under way, or will be next.
    is_listing: bool,
    marker: std::marker::PhantomData<fn(T)>,
}

impl<T: Resource, S: Sink<T>> Watch<'_, T, S> {
    /// Runs until the way to list must change; returns whether lists can be streamed.
    async fn run(mut self, api: Api<Decoded<T>>, config: Config) -> bool {
        let events = watcher(api, config);
        pin_mut!(events);
        let mut backoff = DefaultBackoff::default();
        while let Some(event) = events.next().await {
            let error = match event {
                Ok(event) => {
                    self.handle(event);
                    continue;
                }
                Err(error) => error,
            };
            self.is_listing |= is_expired(&error);
            if self.streaming && self.is_listing && is_answer_of_a_server_that_cannot_stream(&error) {
                tracing::info!(kind = T::KIND, %error, "the API server does not stream this list; it is read in pages");
                return false;
            }
            let delay = if self.is_absent(&error) { self.absent(&error) } else { self.failed(&error, &mut backoff) };
            tokio::time::sleep(delay).await;
        }
        true
    }

    fn handle(&mut self, event: Event<Decoded<T>>) {
        match event {
            Event::Init => {
                self.live = Some(HashSet::new());
                self.is_listing = true;
            }
            Event::InitApply(decoded) => {
                // A streamed list may come without `Init`.
                self.live.get_or_insert_default().insert(decoded.id.clone());
                self.apply(decoded, "InitApply");
            }
            Event::InitDone => {
                let live = self.live.take().unwrap_or_default();
                self.is_listing = false;
                self.status.event("Restart");
                self.sink.lock().reset(&live);
                self.status.synced(&live);
            }
            Event::Apply(decoded) => self.apply(decoded, "Apply"),
            Event::Delete(decoded) => {
                self.status.delete(self.sink, &decoded.id);
            }
        }
    }

    fn apply(&self, decoded: Decoded<T>, op: &'static str) {
        self.status.apply(op, self.sink, &decoded.id, &decoded.resource_version, decoded.object);
    }

    /// What was seen once and is forbidden now stays as it was: right after its start an API server may
    /// forbid what it allows a moment later.
    fn is_absent(&self, error: &watcher::Error) -> bool {
        let is_hidden = self.status.need == Need::IfPermitted && !self.status.is_synced();
        response(error).is_some_and(|status| status.code == 404 || status.code == 403 && is_hidden)
    }

    /// The cluster does not serve the kind: there are no such objects, until it does.
    fn absent(&mut self, error: &watcher::Error) -> Duration {
        self.live = None;
        if self.status.absent() {
            let wait =
                if self.status.need == Need::Required { "waiting for it" } else { "doing without until it does" };
            tracing::info!(
                kind = T::KIND,
                group = T::GROUP,
                version = T::VERSION,
                %error,
                "the cluster does not serve this kind; {wait}"
            );
            self.sink.lock().reset(&HashSet::new());
        }
        ABSENT_POLL
    }

    fn failed(&self, error: &watcher::Error, backoff: &mut DefaultBackoff) -> Duration {
        self.status.error(error);
        let delay = backoff.next().unwrap_or(ABSENT_POLL);
        tracing::warn!(kind = T::KIND, %error, retry_in = ?delay, "watch failed");
        delay
    }
}

fn response(error: &watcher::Error) -> Option<&kube::core::Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn is_expired(error: &watcher::Error) -> bool {
    response(error).is_some_and(|status| status.code == 410)
}

/// Servers without streamed lists refuse the parameter; those that stream but whose etcd is too old
/// (before 3.4.25 or 3.5.8) fail in the middle. Reading pages is right in either case, and after any
/// other error that is not about the kind or our rights.
fn is_answer_of_a_server_that_cannot_stream(error: &watcher::Error) -> bool {
    response(error).is_some_and(|status| !matches!(status.code, 401 | 403 | 404 | 410 | 429))
}

#[cfg(test)]
mod tests;
