//! The control group below which all pods of the node are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{NAME, state};
use crate::cluster::wait;

const ROOT: &str = "/sys/fs/cgroup";
const HANDED_DOWN: &str = "/sys/fs/cgroup/cgroup.subtree_control";

/// The kubelet expects its group to exist.
pub fn make() -> Result<()> {
    enable_controllers()?;
    for folder in groups()? {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(())
}

/// With cgroup v2 a group has only the controllers that the one above it hands down.
fn enable_controllers() -> Result<()> {
    let Ok(available) = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers")) else {
        return Ok(());
    };
    let enabled = fs::read_to_string(HANDED_DOWN).with_context(|| format!("cannot read {HANDED_DOWN}"))?;
    let is_enabled = |controller: &&str| enabled.split_whitespace().any(|enabled| enabled == *controller);
    let missing: Vec<_> = available.split_whitespace().filter(|controller| !is_enabled(controller)).collect();
    state::write("controllers", &missing.join(" "))?;
    hand_down('+', missing.into_iter());
    Ok(())
}

/// One by one, and as far as it goes: which of them the kubelet needs, it says itself.
fn hand_down<'a>(sign: char, controllers: impl Iterator<Item = &'a str>) {
    for controller in controllers {
        let _ = fs::write(HANDED_DOWN, format!("{sign}{controller}"));
    }
}

pub fn remove() -> Result<()> {
    for folder in groups()?.into_iter().filter(|folder| folder.exists()) {
        // A group is busy for a moment after its last process has ended.
        wait::until(Duration::from_secs(20), || Ok(()), || remove_below(&folder))?;
    }
    hand_down('-', state::read("controllers")?.unwrap_or_default().split_whitespace());
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
