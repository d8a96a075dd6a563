//! `cargo xtask tools`: what the tests and checks start besides our own binaries.
//!
//! A tool comes from the first of these that has it: the folder `KUBEBUILDER_ASSETS` (the
//! convention of controller tests), the cache folder of this checkout, then its own list of
//! sources, from a download that takes seconds to a build that takes minutes. Whatever the
//! source, the result stands in the cache folder, where the test harness finds it.

mod crates;
mod debian;
mod envtest;
mod go_module;
mod system;
mod table;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{run, workspace};
pub use debian::provide as provide_packages;
pub use system::{install_missing, install_missing_for_node, on_path};
pub use table::{
    BUSYBOX_PACKAGES, COREDNS, FOR_CHECKS, FOR_CLUSTER, FOR_TESTS, IPTABLES_PACKAGES, KIND, KUBECTL, NODE_PACKAGES,
    Tool,
};
use table::{Source, envtest_archive};

#[derive(clap::Args)]
pub struct Args {
    /// Only these tools, by name, instead of all that the tests need
    names: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut chosen = Vec::new();
    for name in &args.names {
        match known().find(|tool| tool.name == name) {
            Some(tool) => chosen.push(tool),
            None => bail!(
                "there is no tool named {name:?}; known: {}",
                known().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
            ),
        }
    }
    if chosen.is_empty() {
        chosen.extend(FOR_TESTS);
    }
    for tool in chosen {
        let path = provide(tool)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Every tool there is.
fn known() -> impl Iterator<Item = &'static Tool> {
    FOR_TESTS.iter().chain(FOR_CLUSTER).chain(FOR_CHECKS).chain([KUBECTL, KIND])
}

/// The path of a ready-to-run tool, provided first where it is missing.
pub fn provide(tool: &Tool) -> Result<PathBuf> {
    if let Some(path) = in_assets(tool)? {
        return Ok(path);
    }
    if let Some(path) = cached(tool) {
        return Ok(path);
    }
    let _lock = lock()?;
    // Whoever held the lock may have provided it.
    if let Some(path) = cached(tool) {
        return Ok(path);
    }
    let mut reasons = Vec::new();
    for source in tool.sources {
        match obtain(tool, source) {
            Ok(()) => {
                fs::write(stamp(tool), tool.version)
                    .with_context(|| format!("cannot note the version of {}", tool.name))?;
                // What was needed to make it is large, and made again when the version changes.
                let _ = fs::remove_dir_all(build_path(tool.name));
                return Ok(place(tool));
            }
            Err(error) => {
                eprintln!("  {}: not from {source}: {}", tool.name, first_line(&error));
                reasons.push(format!("from {source}: {error:#}"));
            }
        }
    }
    bail!(
        "{} {} could not be had; install it and run `cargo xtask tools` again\n- {}",
        tool.name,
        tool.version,
        reasons.join("\n- ")
    )
}

fn obtain(tool: &Tool, source: &Source) -> Result<()> {
    match source {
        Source::Path { accepts } => from_path(tool, accepts),
        Source::Envtest => {
            let member = envtest::member(&envtest_archive(), tool.name)?;
            install(&member, tool)
        }
        Source::Debian { package, file } => {
            let found = debian::extract(package, file, tool)?;
            install(&found, tool)
        }
        Source::Go(module) => {
            let built = go_module::build(module, tool)?;
            install(&built, tool)
        }
        Source::Crate { features } => {
            let built = crates::build(tool, features)?;
            install(&built, tool)
        }
    }
}

/// The tool in `KUBEBUILDER_ASSETS`. Whoever sets it decides which servers the tests run on,
/// so a server that is missing there is an error, not a reason to look elsewhere.
fn in_assets(tool: &Tool) -> Result<Option<PathBuf>> {
    let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if !tool.in_assets {
        return Ok(None);
    }
    let path = Path::new(&assets).join(tool.name);
    if !path.is_file() {
        bail!(
            "KUBEBUILDER_ASSETS is set, but {} does not exist; unset it to have {} provided",
            path.display(),
            tool.name
        );
    }
    Ok(Some(path))
}

fn cached(tool: &Tool) -> Option<PathBuf> {
    let version = fs::read_to_string(stamp(tool)).ok()?;
    let path = place(tool);
    (version == tool.version && path.is_file()).then_some(path)
}

fn place(tool: &Tool) -> PathBuf {
    workspace::tools().join(tool.name)
}

fn stamp(tool: &Tool) -> PathBuf {
    workspace::tools().join(format!("{}.version", tool.name))
}

/// Moves `file` to where the tool is looked for; never half a file.
fn install(file: &Path, tool: &Tool) -> Result<()> {
    let place = place(tool);
    let _ = fs::remove_file(&place);
    fs::rename(file, &place).with_context(|| format!("cannot move {} to {}", file.display(), place.display()))
}

/// A tool that the machine has is used where it is.
fn from_path(tool: &Tool, accepts: &fn(&Path) -> Result<()>) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(tool.name))
        .find(|file| file.is_file())
        .context("it is not there")?;
    accepts(&found)?;
    let link = place(tool);
    let _ = fs::remove_file(&link);
    symlink(&found, &link).with_context(|| format!("cannot link {}", link.display()))
}

/// One provider at a time: two builds of the same server would only take twice as long.
fn lock() -> Result<File> {
    let folder = workspace::tools();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("  waiting for another `cargo xtask` that provides tools");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// A fresh folder to build one tool in.
fn build_folder(name: &str) -> Result<PathBuf> {
    let folder = build_path(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn build_path(name: &str) -> PathBuf {
    workspace::cache().join("build").join(name)
}

fn first_line(error: &anyhow::Error) -> String {
    error.to_string().lines().next().unwrap_or("").to_owned()
}

/// Any version of a program that starts.
fn starts(program: &Path) -> Result<()> {
    run::output(Command::new(program).arg("--version")).map(drop)
}
