//! Programs out of Debian's packages.
//!
//! The packages are unpacked, not installed: installing `etcd-server` or `containerd` would leave
//! a service running on the machine of whoever only wanted to run tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Tool, build_folder, build_path, lock};
use crate::progress::Step;
use crate::{run, tools, workspace};

/// Packages that are unpacked into one folder of the cache.
pub struct Packages {
    /// The name of the folder.
    pub name: &'static str,
    pub packages: &'static [&'static str],
}

/// `file` of `package`, as a path below a build folder.
pub fn extract(package: &str, file: &str, tool: &Tool) -> Result<PathBuf> {
    let folder = build_folder(tool.name)?;
    let step = Step::start(format!("{}: unpacking Debian's package {package}", tool.name));
    unpack(&[package], &folder)?;
    let found = folder.join(file);
    ensure!(found.is_file(), "{package} holds no {file}");
    tools::starts(&found)?;
    step.finish("unpacked");
    Ok(found)
}

/// The folder with what `set` holds, as it would be below `/`; unpacked first where it is missing.
pub fn provide(set: &Packages) -> Result<PathBuf> {
    let place = workspace::tools().join(set.name);
    let stamp = workspace::tools().join(format!("{}.version", set.name));
    let list = set.packages.join(" ");
    let cached = || fs::read_to_string(&stamp).is_ok_and(|text| text == list) && place.is_dir();
    if cached() {
        return Ok(place);
    }
    let _lock = lock()?;
    if cached() {
        return Ok(place);
    }
    let folder = build_folder(set.name)?;
    let step = Step::start(format!("{}: unpacking Debian's packages {list}", set.name));
    unpack(set.packages, &folder)?;
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot empty {}", place.display()))?;
    }
    fs::rename(build_path(set.name), &place).with_context(|| format!("cannot make {}", place.display()))?;
    fs::write(&stamp, list).with_context(|| format!("cannot write {}", stamp.display()))?;
    step.finish("unpacked");
    Ok(place)
}

fn unpack(packages: &[&str], folder: &Path) -> Result<()> {
    ensure!(
        run::succeeds(Command::new("apt-get").arg("--version")),
        "this machine has no apt-get, so Debian's packages {} cannot be had",
        packages.join(" ")
    );
    let log = folder.join("log");
    let download = || {
        let mut command = Command::new("apt-get");
        // apt drops to a user of its own, who may not write here.
        command.args(["-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(folder);
        command
    };
    if !run::succeeds(&mut download()) {
        // A fresh machine has no package lists yet; only root can have them made.
        run::logged(Command::new("apt-get").arg("update"), &log)?;
        run::logged(&mut download(), &log)?;
    }
    let mut archives: Vec<_> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    archives.sort();
    if archives.len() < packages.len() {
        bail!("apt-get downloaded {} packages instead of {}", archives.len(), packages.join(" "));
    }
    for archive in archives {
        run::logged(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(folder), &log)?;
        let _ = fs::remove_file(&archive);
    }
    Ok(())
}
