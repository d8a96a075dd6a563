//! Programs built from crates, kept in the cache folder instead of the person's own cargo folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Tool;
use crate::progress::Step;
use crate::{run, tools};

/// The program of the crate that has the tool's name, built with no more than `features`.
pub fn build(tool: &Tool, features: &[&str]) -> Result<PathBuf> {
    let folder = tools::build_folder(tool.name)?;
    let step = Step::start(format!("{} {}: building its crate", tool.name, tool.version));
    run::logged(
        Command::new("cargo")
            .args(["install", "--locked", "--no-default-features", "--version"])
            .arg(tool.version)
            .arg("--features")
            .arg(features.join(","))
            .arg("--root")
            .arg(&folder)
            .arg(tool.name)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            // A tool that runs for a second: building it fast matters more than its speed.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        &folder.join("log"),
    )?;
    let program = folder.join("bin").join(tool.name);
    step.finish("built");
    Ok(program)
}
