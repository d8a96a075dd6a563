//! Our programs as images hold them: released, and linked statically, since an image has nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{run, workspace};

/// The folder of the programs of `packages`, built first with a profile of cargo's.
///
/// The C library's own target is built statically: another one (musl) would have to be installed.
pub fn build(packages: &[&str], profile: &str) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    // With a target, the flags are not for build scripts and macros, which run on this machine.
    command.args(["build", "--locked", "--bins", "--target", &target, "--profile", profile]);
    for package in packages {
        command.args(["--package", package]);
    }
    run::visible(command.env("CARGO_ENCODED_RUSTFLAGS", flags().join("\x1f")))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(workspace::target().join(target).join(folder))
}

/// Folders of this machine do not reach the programs, so that every checkout makes the same.
fn flags() -> Vec<String> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home).unwrap_or_default();
    vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=linkerd-rs", workspace::root().display()),
        format!("--remap-path-prefix={}=cargo", cargo.display()),
    ]
}
