//! One cluster, from its first Secret to the end of its last.

use super::{secret::Credentials, state::States};
use crate::{
    core::config::Config,
    index::{Index, clusters::RemoteCluster},
    tick,
};
use linkerd_controller::source::{ForeignWatches, Need, Shared};
use linkerd_k8s::{EndpointSlice, ExternalWorkload, Job, Pod, ReplicaSet, Server, Service};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::sleep,
};

/// How long requests have reason to wait for a cluster that has just become known.
const SETTLE: Duration = Duration::from_secs(3);

/// Wait before a cluster whose watches have ended, which they never should, is begun with anew.
const RESTART: Duration = Duration::from_secs(10);

/// A cluster that is kept.
pub struct Cluster {
    /// Its name.
    pub name: Arc<str>,
    /// The index of this cluster, which is to know that one.
    pub index: Shared<Index>,
    /// The configuration of this cluster.
    pub config: Arc<Config>,
    /// Where it is written down how it fares.
    pub states: States,
}

impl Cluster {
    /// Keeps the cluster until there are no credentials any more.
    ///
    /// With new credentials it is connected to anew; what was known of it before is served until all is
    /// known again, so that streams hear only of what is different.
    pub async fn keep(self, mut credentials: watch::Receiver<Credentials>, begun: oneshot::Sender<()>) {
        let mut begun = Some(begun);
        let mut serving = None;
        loop {
            let wanted = credentials.borrow_and_update().clone();
            let opened = self.open(&wanted).await;
            if opened.is_none() || serving.is_none() {
                serving = None;
                self.register(opened.as_ref());
            }
            // Nobody listens a second time.
            begun.take().map(|begun| begun.send(()));
            let end = match opened {
                None => End::of(credentials.changed().await),
                Some(connection) => self.follow(connection, &mut serving, &mut credentials).await,
            };
            if end == End::Gone {
                break;
            }
        }
        tracing::info!(cluster = %self.name, "remote cluster is gone, with its Secret");
        self.register(None);
        self.states.remove(&self.name);
    }

    async fn open(&self, credentials: &Credentials) -> Option<Connection> {
        match ForeignWatches::connect(&self.name, &credentials.kubeconfig).await {
            Ok(watches) => {
                tracing::info!(cluster = %self.name, "connecting to remote cluster");
                self.states.set(&self.name, "connecting", None);
                Some(Connection::feed(self, credentials, watches))
            }
            Err(error) => {
                tracing::error!(cluster = %self.name, %error, "remote cluster cannot be used; correct its Secret");
                self.states.set(&self.name, "unusable", Some(error.to_string()));
                None
            }
        }
    }

    /// Serves what a connection tells, in place of another one, once that is complete. Returns when the
    /// connection is to be made anew, or there are no credentials any more.
    async fn follow(
        &self,
        mut connection: Connection,
        serving: &mut Option<Connection>,
        credentials: &mut watch::Receiver<Credentials>,
    ) -> End {
        let settle = sleep(SETTLE);
        tokio::pin!(settle);
        let mut is_serving = false;
        let end = loop {
            tokio::select! {
                () = is_true(&mut connection.synced), if !is_serving => {
                    tracing::info!(cluster = %self.name, "remote cluster is known completely");
                    self.states.set(&self.name, "ready", None);
                    self.register(Some(&connection));
                    (is_serving, *serving) = (true, None);
                    connection.settled.send_replace(true);
                }
                () = &mut settle, if !*connection.settled.borrow() => {
                    tracing::warn!(cluster = %self.name, "remote cluster has not told all of its state yet; its watches go on");
                    connection.settled.send_replace(true);
                }
                changed = credentials.changed() => break End::of(changed),
                reason = connection.running.ended() => {
                    tracing::error!(cluster = %self.name, reason, "remote cluster is begun with anew");
                    self.states.set(&self.name, "restarting", Some(reason));
                    tokio::select! {
                        () = sleep(RESTART) => break End::Anew,
                        changed = credentials.changed() => break End::of(changed),
                    }
                }
            }
        };
        if is_serving {
            *serving = Some(connection);
        }
        end
    }

    /// Makes a connection known as the cluster. What was known before is dropped outside of the lock.
    fn register(&self, connection: Option<&Connection>) {
        let cluster = connection.map(|connection| RemoteCluster {
            index: connection.index.clone(),
            synced: connection.synced.clone(),
            settled: connection.settled.subscribe(),
        });
        let old = self.index.lock().set_cluster(&self.name, cluster);
        drop(old);
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Another one is to be made.
    Anew,
    /// The cluster has no credentials any more.
    Gone,
}

impl End {
    fn of(changed: Result<(), watch::error::RecvError>) -> Self {
        if changed.is_ok() { Self::Anew } else { Self::Gone }
    }
}

/// Watches of a cluster, and the index that they feed. Both end when it is dropped.
struct Connection {
    index: Shared<Index>,
    synced: watch::Receiver<bool>,
    settled: watch::Sender<bool>,
    running: Running,
}

/// What a connection consists of.
struct Running {
    watches: ForeignWatches,
    tasks: JoinSet<()>,
}

impl Connection {
    /// Begins to watch. The cluster need not answer yet, or ever.
    fn feed(cluster: &Cluster, credentials: &Credentials, mut watches: ForeignWatches) -> Self {
        let config = Config {
            trust_domain: credentials.trust_domain.clone(),
            cluster_domain: credentials.cluster_domain.clone(),
            ..Config::clone(&cluster.config)
        };
        let index = Arc::new(Mutex::new(Index::foreign(Arc::new(config))));
        let synced = index.lock().synced();
        let mut tasks = JoinSet::new();
        let ticked = index.clone();
        tasks.spawn(async move {
            // It never ends, and has no errors.
            let _ = tick(ticked).await;
        });
        tasks.spawn(tell(cluster.name.clone(), cluster.index.clone(), index.clone()));
        // Pods first: slices that come before their pods would be translated twice.
        watches.watch::<ReplicaSet, _>(&index, Need::IfPermitted);
        watches.watch::<Job, _>(&index, Need::IfPermitted);
        watches.watch::<Pod, _>(&index, Need::Required);
        watches.watch::<Service, _>(&index, Need::Required);
        watches.watch::<EndpointSlice, _>(&index, Need::Required);
        watches.watch::<Server, _>(&index, Need::IfPermitted);
        watches.watch::<ExternalWorkload, _>(&index, Need::IfPermitted);
        cluster.states.watched(&cluster.name, watches.describe());
        Self { index, synced, settled: watch::Sender::new(false), running: Running { watches, tasks } }
    }
}

impl Running {
    /// Returns when something has ended that never should.
    async fn ended(&mut self) -> String {
        tokio::select! {
            reason = self.watches.ended() => reason,
            Some(end) = self.tasks.join_next() => {
                end.err().map_or_else(|| "a task ended".to_owned(), |error| error.to_string())
            }
        }
    }
}

async fn is_true(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|flag| *flag).await.is_err() {
        // Its sender is gone, so it will never be.
        std::future::pending::<()>().await;
    }
}

/// Tells the index of this cluster what members in another one published.
async fn tell(name: Arc<str>, here: Shared<Index>, there: Shared<Index>) {
    let published = there.lock().published();
    loop {
        published.notified().await;
        let members = there.lock().take_published();
        here.lock().member_published(&name, members);
    }
}
