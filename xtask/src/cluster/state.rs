//! What is known of the cluster from one command to the next, in `.cache/cluster`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum as _;

use super::Provider;
use crate::workspace;

/// Everything that a cluster writes. Only root may read it: there are keys in it.
pub fn folder() -> PathBuf {
    workspace::cache().join("cluster")
}

/// How to reach the cluster with every right.
pub fn kubeconfig() -> PathBuf {
    folder().join("kubeconfig")
}

/// What made the cluster that there is.
pub fn provider() -> Result<Option<Provider>> {
    let Some(name) = read("provider")? else {
        return Ok(None);
    };
    let provider = Provider::from_str(&name, false).map_err(anyhow::Error::msg);
    provider.context(".cache/cluster/provider is not as it was written").map(Some)
}

/// Notes what makes the cluster, before anything of it exists.
pub fn begin(provider: Provider) -> Result<()> {
    write("provider", provider.name())
}

/// A note that [`write()`] made.
pub fn read(name: &str) -> Result<Option<String>> {
    match fs::read_to_string(folder().join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read .cache/cluster/{name}")),
    }
}

/// Writes a file, and the folders above it.
pub fn write(name: &str, content: &str) -> Result<()> {
    let path = folder().join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Forgets the cluster.
pub fn end() -> Result<()> {
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
