//! Programs out of Debian's packages.
//!
//! The package is unpacked, not installed: installing `etcd-server` would leave a service
//! running on the machine of whoever only wanted to run tests.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::Tool;
use crate::progress::Step;
use crate::{run, tools};

/// `file` of `package`, as a path below a build folder.
pub fn extract(package: &str, file: &str, tool: &Tool) -> Result<PathBuf> {
    ensure!(run::succeeds(Command::new("apt-get").arg("--version")), "this machine has no apt-get");
    let folder = tools::build_folder(tool.name)?;
    let log = folder.join("log");
    let step = Step::start(format!("{}: unpacking Debian's package {package}", tool.name));
    let download = || {
        let mut command = Command::new("apt-get");
        // apt drops to a user of its own, who may not write here.
        command.args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(&folder);
        command
    };
    if !run::succeeds(&mut download()) {
        // A fresh machine has no package lists yet; only root can have them made.
        run::logged(Command::new("apt-get").arg("update"), &log)?;
        run::logged(&mut download(), &log)?;
    }
    let archive = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let Some(archive) = archive else {
        bail!("apt-get downloaded no package named {package}");
    };
    run::logged(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&folder), &log)?;
    let found = folder.join(file);
    ensure!(found.is_file(), "{package} holds no {file}");
    tools::starts(&found)?;
    step.finish("unpacked");
    Ok(found)
}
