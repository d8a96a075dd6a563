//! The configuration in files: install values and trust anchors.
//!
//! Files that changed are read at the next request, or by a timer. What cannot be used leaves the last
//! good configuration in force.

use crate::{
    core::{
        config::Config,
        trust::{InvalidAnchors, TrustAnchors},
        validate::InvalidValues,
        values::{Values, ValuesError},
    },
    metrics::Metrics,
};
use linkerd_controller::{readiness::Pending, tasks::Tasks};
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How often the files are looked at when there are no requests.
const POLL: Duration = Duration::from_secs(2);

/// Where the configuration is.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Install values, in YAML.
    pub values: PathBuf,
    /// Trust anchors, in PEM.
    pub anchors: PathBuf,
}

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The values are no values.
    #[error("{path}: {source}")]
    Values {
        /// The file.
        path: String,
        /// What is wrong.
        source: ValuesError,
    },
    /// The values are wrong.
    #[error("{path}: {source}")]
    Invalid {
        /// The file.
        path: String,
        /// What is wrong.
        source: InvalidValues,
    },
    /// The trust anchors cannot be used.
    #[error("{path}: {source}")]
    Anchors {
        /// The file.
        path: String,
        /// What is wrong.
        source: InvalidAnchors,
    },
}

/// The configuration in force, kept equal to files. Cheap to clone.
#[derive(Clone)]
pub struct ConfigFiles(Arc<Inner>);

struct Inner {
    paths: Paths,
    control_plane_namespace: String,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    good: Option<Arc<Config>>,
    /// What the files looked like when they were last read.
    seen: Option<[Option<Stamp>; 2]>,
    error: Option<String>,
    pending: Option<Pending>,
}

/// What tells one version of a file from another. A mounted ConfigMap changes by a new inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl ConfigFiles {
    /// Follows files. Readiness waits for the first configuration that can be used.
    pub fn follow(tasks: &Tasks, paths: Paths, control_plane_namespace: &str, metrics: &Metrics) -> Self {
        let files = Self::new(paths, control_plane_namespace, metrics);
        let name = format!("configuration {}", files.0.paths.values.display());
        files.0.state.lock().pending = Some(tasks.readiness.hold(name));
        let polled = files.clone();
        tasks.spawn("configuration reload", async move {
            polled.poll().await;
            Ok::<(), Infallible>(())
        });
        files
    }

    async fn poll(self) {
        loop {
            // The result is kept for requests, and its error is logged.
            let _ = self.current();
            tokio::time::sleep(POLL).await;
        }
    }

    /// Reads files when asked, without a timer.
    pub fn new(paths: Paths, control_plane_namespace: &str, metrics: &Metrics) -> Self {
        Self(Arc::new(Inner {
            paths,
            control_plane_namespace: control_plane_namespace.to_owned(),
            metrics: metrics.clone(),
            state: Mutex::default(),
        }))
    }

    /// The last good configuration, of the files as they are now if they can be used.
    ///
    /// # Errors
    /// No configuration was ever good: why the last one was not.
    pub fn current(&self) -> Result<Arc<Config>, String> {
        let mut state = self.0.state.lock();
        let seen = [stamp(&self.0.paths.values), stamp(&self.0.paths.anchors)];
        if state.seen != Some(seen) {
            state.seen = Some(seen);
            self.load(&mut state);
        }
        let unusable = || state.error.clone().unwrap_or_default();
        state.good.clone().ok_or_else(unusable)
    }

    fn load(&self, state: &mut State) {
        let Inner { paths, control_plane_namespace, metrics, .. } = &*self.0;
        match read(paths, control_plane_namespace) {
            Ok(config) => {
                tracing::info!(values = %paths.values.display(), anchors = config.anchors.sha256(), "configuration loaded");
                metrics.config_valid(true);
                *state = State { good: Some(Arc::new(config)), seen: state.seen, error: None, pending: None };
            }
            Err(error) => {
                let effect = if state.good.is_some() { "keeping the last good one" } else { "waiting for a good one" };
                tracing::error!(%error, "the configuration cannot be used; {effect}");
                metrics.config_valid(false);
                state.error = Some(error.to_string());
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), size: metadata.size(), inode: metadata.ino() })
}

fn read(paths: &Paths, control_plane_namespace: &str) -> Result<Config, ConfigError> {
    let text = |path: &Path| {
        fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.display().to_string(), source })
    };
    let path = paths.values.display().to_string();
    let values = Values::from_yaml(&text(&paths.values)?)
        .map_err(|source| ConfigError::Values { path: path.clone(), source })?;
    let anchors = TrustAnchors::parse(&text(&paths.anchors)?)
        .map_err(|source| ConfigError::Anchors { path: paths.anchors.display().to_string(), source })?;
    Config::new(values, control_plane_namespace, anchors).map_err(|source| ConfigError::Invalid { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHORS: &str = include_str!("../tests/fixtures/trust-anchors.pem");

    // Acceptance cases 25 and 60.
    #[test]
    fn files_that_change_are_read_and_bad_ones_leave_the_last_good_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths { values: folder.path().join("values"), anchors: folder.path().join("ca.crt") };
        let files = ConfigFiles::new(paths.clone(), "linkerd", &Metrics::default());
        assert!(files.current().unwrap_err().contains("cannot read"));
        fs::write(&paths.values, "clusterDomain: one.example").unwrap();
        fs::write(&paths.anchors, ANCHORS).unwrap();
        let domain = || files.current().unwrap().values.cluster_domain.clone();
        assert_eq!(domain(), "one.example");
        for bad in ["clusterDomain: [", "clusterDomain: two.example\nproxy: {uid: 0}"] {
            fs::write(&paths.values, bad).unwrap();
            assert_eq!(domain(), "one.example");
        }
        fs::write(&paths.values, "clusterDomain: three.example").unwrap();
        assert_eq!(domain(), "three.example");
        fs::write(&paths.anchors, "no certificate").unwrap();
        assert_eq!(domain(), "three.example");
    }
}
