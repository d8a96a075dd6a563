//! Supervised tasks: one that ends ends the process.

use crate::{metrics::Metrics, readiness::Readiness};
use parking_lot::Mutex;
use std::{collections::BTreeMap, future::Future, sync::Arc};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How the parts of a process start tasks and reach what they share. Cheap to clone.
#[derive(Clone)]
pub struct Tasks {
    /// What holds back readiness.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What `/debug/state` shows.
    pub diagnostics: Diagnostics,
    shutdown: CancellationToken,
    running: TaskTracker,
    ends: mpsc::UnboundedSender<TaskEnd>,
}

/// How a task ended.
#[derive(Debug)]
pub struct TaskEnd {
    /// Name that the task was started with.
    pub name: String,
    /// Its result; a panic is an error.
    pub result: Result<(), BoxError>,
}

/// The error of a task, whatever it is.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Receives the ends of tasks.
pub struct Supervisor {
    ends: mpsc::UnboundedReceiver<TaskEnd>,
}

impl Tasks {
    /// Makes a place for tasks, and the supervisor that hears of their ends.
    pub fn new() -> (Self, Supervisor) {
        let (ends, receiver) = mpsc::unbounded_channel();
        let tasks = Self {
            readiness: Readiness::default(),
            metrics: Metrics::default(),
            diagnostics: Diagnostics::default(),
            shutdown: CancellationToken::new(),
            running: TaskTracker::new(),
            ends,
        };
        (tasks, Supervisor { ends: receiver })
    }

    /// Starts a task that is dropped when the process is asked to stop. Its end before that, good or
    /// bad, ends the process.
    pub fn spawn<E>(&self, name: impl Into<String>, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<BoxError> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.spawn_draining(name, async move {
            tokio::select! {
                result = task => result,
                () = shutdown.cancelled() => Ok(()),
            }
        });
    }

    /// Starts a task that drains: it looks at [`Tasks::shutdown`] itself, and its end is waited for.
    pub fn spawn_draining<E>(&self, name: impl Into<String>, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<BoxError> + Send + 'static,
    {
        let (name, ends) = (name.into(), self.ends.clone());
        let running = tokio::spawn(task);
        self.running.spawn(async move {
            let result = match running.await {
                Ok(result) => result.map_err(Into::into),
                Err(error) => Err(error.into()),
            };
            // Nobody listens after the supervisor has gone, which is at the end of the process.
            let _ = ends.send(TaskEnd { name, result });
        });
    }

    /// Asks the whole process to stop, as a signal does: it ends without an error.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Asks every task to stop and returns once all have ended.
    pub async fn drain(&self) {
        self.shutdown.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// Cancelled when the process is asked to stop.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }
}

impl Supervisor {
    /// The next task that ends; never returns while all run.
    pub async fn next(&mut self) -> Option<TaskEnd> {
        self.ends.recv().await
    }
}

type Describe = Box<dyn Fn() -> serde_json::Value + Send>;

/// Named descriptions of the state of a process, for people who look for a fault.
#[derive(Clone, Default)]
pub struct Diagnostics(Arc<Mutex<BTreeMap<String, Describe>>>);

impl Diagnostics {
    /// Adds a description, which is computed at each request.
    pub fn add(&self, name: impl Into<String>, describe: impl Fn() -> serde_json::Value + Send + 'static) {
        self.0.lock().insert(name.into(), Box::new(describe));
    }

    /// All descriptions.
    pub fn dump(&self) -> serde_json::Value {
        self.0.lock().iter().map(|(name, describe)| (name.clone(), describe())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_error_of_its_task() {
        let (tasks, mut supervisor) = Tasks::new();
        tasks.spawn("fragile", async { if true { panic!("boom") } else { Ok::<(), std::io::Error>(()) } });
        let end = supervisor.next().await.unwrap();
        assert_eq!(end.name, "fragile");
        assert!(end.result.unwrap_err().to_string().contains("boom"));
    }
}
