//! The control group below which all pods of the node are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::NAME;
use crate::cluster::wait;

const ROOT: &str = "/sys/fs/cgroup";

/// The kubelet expects its group to exist.
pub fn make() -> Result<()> {
    for folder in groups()? {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(())
}

pub fn remove() -> Result<()> {
    for folder in groups()?.into_iter().filter(|folder| folder.exists()) {
        // A group is busy for a moment after its last process has ended.
        wait::until(Duration::from_secs(20), || Ok(()), || remove_below(&folder))?;
    }
    Ok(())
}

fn remove_below(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
        }
    }
    fs::remove_dir(folder).with_context(|| format!("cannot remove the control group {}", folder.display()))
}

/// The node's group in every hierarchy: one with cgroup v2, one for each controller with v1.
fn groups() -> Result<Vec<PathBuf>> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        return Ok(vec![Path::new(ROOT).join(NAME)]);
    }
    let mut groups = Vec::new();
    for entry in fs::read_dir(ROOT).with_context(|| format!("cannot list {ROOT}"))? {
        let entry = entry?;
        // Several controllers of one hierarchy are links to it.
        if entry.file_type()?.is_dir() && entry.path().join("cgroup.procs").exists() {
            groups.push(entry.path().join(NAME));
        }
    }
    Ok(groups)
}
