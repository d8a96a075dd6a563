//! Watches of a cluster that the process can do without.

use super::{
    Need, Scope, Shared, Sink, WatchMetrics, cluster,
    status::{Describe, WatchStatus},
};
use crate::client::{ForeignKubeconfigError, from_foreign};
use kube::Client;
use linkerd_k8s::Resource;
use std::{collections::BTreeMap, convert::Infallible, sync::Arc};
use tokio::task::JoinSet;
use tracing::Instrument;

/// Watches of another cluster. They neither hold back readiness nor end the process, and they end when
/// this is dropped.
///
/// They are tried again for ever, each with backoff, and a failure leaves in the index what it had.
pub struct ForeignWatches {
    client: Client,
    span: tracing::Span,
    /// The metrics of watches tell kinds apart, not clusters, so these are shown nowhere.
    metrics: WatchMetrics,
    tasks: JoinSet<Result<(), Infallible>>,
    describe: BTreeMap<&'static str, Describe>,
}

impl ForeignWatches {
    /// Prepares to watch the cluster that a kubeconfig names; `name` is for the log.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used. Whether the cluster answers shows later.
    pub async fn connect(name: &str, kubeconfig: &[u8]) -> Result<Self, ForeignKubeconfigError> {
        Ok(Self::new(name, from_foreign(kubeconfig).await?))
    }

    pub(super) fn new(name: &str, client: Client) -> Self {
        Self {
            client,
            span: tracing::error_span!("remote", cluster = name),
            metrics: WatchMetrics::default(),
            tasks: JoinSet::new(),
            describe: BTreeMap::new(),
        }
    }

    /// Watches all objects of a kind.
    pub fn watch<T: Resource, S: Sink<T>>(&mut self, sink: &Shared<S>, need: Need) {
        let status = WatchStatus::new::<T>(&self.metrics, need, None);
        self.describe.insert(T::PLURAL, Arc::new(status.describe()));
        let watch = cluster::watch::<T, S>(self.client.clone(), Scope::default(), sink.clone(), status);
        self.tasks.spawn(watch.instrument(self.span.clone()));
    }

    /// Returns when one of the watches has ended, which none should, with what is known of why.
    pub async fn ended(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Err(error)) => error.to_string(),
            Some(Ok(Ok(()))) | None => "a watch ended".to_owned(),
        }
    }

    /// State of each watch, by kind.
    pub fn describe(&self) -> BTreeMap<&'static str, Describe> {
        self.describe.clone()
    }
}
