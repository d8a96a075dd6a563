//! `cargo xtask ci`: everything a change must pass, cheap checks first.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::progress::{Elapsed, heading};
use crate::{cluster, documents, generate, run, test, tools, workspace};

/// One thing that CI checks.
struct Check {
    name: &'static str,
    run: fn() -> Result<()>,
}

/// The one check that not every machine can make.
const CLUSTER: &str = "cluster";

const CHECKS: &[Check] = &[
    Check { name: "format", run: format },
    Check { name: "generated", run: generate::check },
    Check { name: "documents", run: documents::check },
    Check { name: "lints", run: lints },
    Check { name: "rustdoc", run: rustdoc },
    Check { name: "licences", run: licences },
    Check { name: CLUSTER, run: cluster::ci },
    // Last, so that the count of tests is the last line.
    Check { name: "tests", run: tests },
];

#[derive(clap::Args)]
pub struct Args {
    /// Only these checks: format, generated, documents, lints, rustdoc, licences, cluster, tests
    names: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(unknown) = args.names.iter().find(|name| CHECKS.iter().all(|check| check.name != *name)) {
        let known: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        bail!("there is no check named {unknown:?}; known: {}", known.join(", "));
    }
    let chosen = |check: &&Check| args.names.is_empty() || args.names.iter().any(|name| name == check.name);
    let started = Instant::now();
    let mut left_out = None;
    for check in CHECKS.iter().filter(chosen) {
        let begun = Instant::now();
        heading(check.name);
        if check.name == CLUSTER
            && let Some(obstacle) = cluster::obstacle()
        {
            // Named, it was asked for.
            ensure!(args.names.is_empty(), "{obstacle}");
            left_out = Some(format!("NOT RUN: cluster, the suite on a real cluster: {obstacle}"));
            continue;
        }
        (check.run)().with_context(|| format!("check {:?} failed; repeat it with `cargo xtask ci {0}`", check.name))?;
        eprintln!("=== {}: passed in {}", check.name, Elapsed(begun.elapsed()));
    }
    let elapsed = Elapsed(started.elapsed());
    match left_out {
        None => eprintln!("\nEverything passed in {elapsed}."),
        Some(left_out) => eprintln!("\n{left_out}\nEverything else passed in {elapsed}."),
    }
    Ok(())
}

fn format() -> Result<()> {
    run::visible(Command::new("cargo").args(["fmt", "--all", "--check"]))
        .context("code is not formatted; run `cargo fmt --all`")
}

/// The lock file must stand as committed, so that CI builds what the author built.
fn lints() -> Result<()> {
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run::visible(Command::new("cargo").args(clippy))
}

fn rustdoc() -> Result<()> {
    let doc = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    run::visible(Command::new("cargo").args(doc).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, banned and duplicate crates, and registries, by `deny.toml`.
///
/// Not known vulnerabilities: their database is outside of the package registry, and a check
/// that only works on some machines does not belong here.
fn licences() -> Result<()> {
    for tool in tools::FOR_CHECKS {
        let program = tools::provide(tool)?;
        run::visible(Command::new(program).current_dir(workspace::root()).args([
            "--locked",
            "--workspace",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))?;
    }
    Ok(())
}

fn tests() -> Result<()> {
    test::run(&test::Args::default())
}
