//! Programs that must be installed, not merely unpacked, since they bring libraries along.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::progress::Step;
use crate::{run, workspace};

/// Programs that tests run, and the Debian packages that install them. None starts a service.
const FOR_TESTS: &[(&str, &str)] = &[
    ("bash", "bash"),
    ("ip", "iproute2"),
    ("iptables-nft", "iptables"),
    ("iptables-legacy", "iptables"),
    ("nsenter", "util-linux"),
    ("sysctl", "procps"),
];

/// Programs that the single node of `cargo xtask cluster` runs. None starts a service.
const FOR_NODE: &[(&str, &str)] = &[
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("sysctl", "procps"),
    ("unshare", "util-linux"),
];

/// Installs what tests miss, as root on Debian. Elsewhere the tests name what they miss.
pub fn install_missing() -> Result<()> {
    install(&missing(FOR_TESTS))
}

/// Installs what a node misses, or says which programs it needs.
pub fn install_missing_for_node() -> Result<()> {
    install(&missing(FOR_NODE))?;
    let missing = missing(FOR_NODE);
    ensure!(missing.is_empty(), "the node needs programs that Debian has in {}; install them", missing.join(", "));
    Ok(())
}

/// The packages of those programs that the machine lacks.
fn missing(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    let missing = programs.iter().filter(|(program, _)| !on_path(program));
    let mut packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() || !run::succeeds(Command::new("apt-get").arg("--version")) {
        return Ok(());
    }
    let step = Step::start(format!("installing Debian's {}", packages.join(", ")));
    let log = workspace::cache().join("apt.log");
    std::fs::create_dir_all(workspace::cache())?;
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if !run::succeeds(&mut install()) {
        // A fresh machine has no package lists yet.
        let update = run::logged(Command::new("apt-get").arg("update"), &log);
        if update.and_then(|()| run::logged(&mut install(), &log)).is_err() {
            step.finish("not installed; what needs them says what to do");
            return Ok(());
        }
    }
    step.finish("installed");
    Ok(())
}

/// Whether the machine has a program.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
