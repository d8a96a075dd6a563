//! How commands find a running sandbox: one file for each, in a folder that only its user reads.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// A running sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Where `Certify` is answered.
    pub identity: SocketAddr,
    /// Where `Get` and `GetProfile` are answered.
    pub destination: SocketAddr,
    /// Where inbound and outbound policy is answered.
    pub policy: SocketAddr,
    /// The admin server, which also lists pods.
    pub admin: SocketAddr,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Folder with the certificate authority and the key of tokens.
    pub state_dir: PathBuf,
}

/// The entry of a running sandbox, which goes away with it.
#[must_use = "the entry is removed when this is dropped"]
#[derive(Debug)]
pub struct Entry(PathBuf);

impl Drop for Entry {
    fn drop(&mut self) {
        // An entry that stays is passed over, since its process is gone.
        let _ = fs::remove_file(&self.0);
    }
}

impl Running {
    /// Lets commands find this sandbox.
    ///
    /// # Errors
    /// When the folder or file cannot be written.
    pub fn register(&self) -> anyhow::Result<Entry> {
        self.register_in(&folder())
    }

    fn register_in(&self, folder: &Path) -> anyhow::Result<Entry> {
        let named = || format!("cannot write to {}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(named)?;
        let path = folder.join(format!("{}.json", self.pid));
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).with_context(named)?;
        serde_json::to_writer(file, self).with_context(named)?;
        Ok(Entry(path))
    }
}

/// The sandbox that runs, the last started one if there are several.
pub fn running() -> Option<Running> {
    running_in(&folder(), is_alive)
}

fn running_in(folder: &Path, is_alive: impl Fn(u32) -> bool) -> Option<Running> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let read = entries.filter_map(|entry| {
        let started = entry.metadata().ok()?.modified().ok()?;
        let running: Running = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
        is_alive(running.pid).then_some((started, running))
    });
    read.max_by_key(|(started, running)| (*started, running.pid)).map(|(_, running)| running)
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end().starts_with("linkerd"))
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder).join("linkerd-sandbox");
    }
    let user = fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid());
    std::env::temp_dir().join(format!("linkerd-sandbox-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox(pid: u32) -> Running {
        let address = SocketAddr::from(([127, 0, 0, 1], 8086));
        Running {
            pid,
            version: "0".to_owned(),
            identity: address,
            destination: address,
            policy: address,
            admin: address,
            cluster_domain: "cluster.local".to_owned(),
            state_dir: PathBuf::from("state"),
        }
    }

    #[test]
    fn a_registered_sandbox_is_found_while_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let entry = sandbox(7).register_in(folder.path()).unwrap();
        assert_eq!(running_in(folder.path(), |_| true), Some(sandbox(7)));
        assert_eq!(running_in(folder.path(), |pid| pid != 7), None);
        drop(entry);
        assert_eq!(running_in(folder.path(), |_| true), None);
    }
}
