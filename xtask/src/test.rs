//! `cargo xtask test`: every test of the workspace, with what they need built and provided first.

mod outcome;

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::progress::{Elapsed, heading};
use crate::{run, tools, workspace};
use outcome::Outcome;

#[derive(clap::Args, Default)]
pub struct Args {
    /// Only this crate (`destination`), this suite of `tests/`, or tests whose name contains it
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Passed on to the test programs, say `--nocapture`
    #[arg(last = true)]
    pass: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    heading("tools");
    for tool in tools::FOR_TESTS {
        let path = tools::provide(tool)?;
        eprintln!("  {}", workspace::relative(&path).display());
    }
    tools::install_missing()?;
    heading("build");
    // The suites start the binaries. Built together with the tests, so that the crates below
    // are built once and not once more with fewer features.
    run::visible(Command::new("cargo").args(["build", "--workspace", "--all-targets"]))?;
    heading("tests");
    let outcome = test(args)?;
    eprintln!("\n{outcome}in {}", Elapsed(started.elapsed()));
    println!("{}", outcome.closing_line());
    if !outcome.failed_tests().is_empty() {
        bail!("tests failed; one alone: `cargo xtask test --only {}`", outcome.failed_tests()[0]);
    }
    if !outcome.succeeded() {
        bail!("`cargo test` failed without a failed test; its output above has the reason");
    }
    if outcome.count() == 0 {
        bail!("no test was run; is {:?} the name of a crate, suite or test?", args.only);
    }
    Ok(())
}

/// Runs `cargo test`, showing its output as it comes and counting what it tells.
fn test(args: &Args) -> Result<Outcome> {
    let mut command = Command::new("cargo");
    command.args(["test", "--no-fail-fast"]).args(selection(workspace::root(), args.only.as_deref()));
    if !args.pass.is_empty() {
        command.arg("--").args(&args.pass);
    }
    let color = if std::io::stderr().is_terminal() { "always" } else { "never" };
    let shown = run::line(&command);
    // One pipe for both streams keeps the names of suites, on one, with their results, on the other.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .env("CARGO_TERM_COLOR", color)
        // Errors that tests return say enough; backtraces of panics stay.
        .env("RUST_LIB_BACKTRACE", std::env::var_os("RUST_LIB_BACKTRACE").unwrap_or("0".into()))
        // A plain `cargo test` tries fewer histories of a cluster, since it is run more often.
        .env("MODEL_EVENTS", std::env::var_os("MODEL_EVENTS").unwrap_or("1000000".into()))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    // The command holds the other ends of the pipe, which would never end.
    drop(command);
    let mut outcome = Outcome::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(std::io::stderr(), "{line}")?;
        outcome.read(&line);
    }
    outcome.ended(child.wait()?.success());
    Ok(outcome)
}

/// The arguments of `cargo test` that select what `--only` names.
fn selection(root: &Path, only: Option<&str>) -> Vec<String> {
    let arguments = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let Some(name) = only else {
        return arguments(&["--workspace"]);
    };
    let suites = root.join("tests/tests");
    if suites.join(name).join("main.rs").is_file() || suites.join(format!("{name}.rs")).is_file() {
        // Not `--package`: another selection of crates means other features, and all built again.
        return arguments(&["--workspace", "--test", name]);
    }
    let folder = name.strip_prefix("linkerd-").unwrap_or(name);
    if let Ok(manifest) = std::fs::read_to_string(root.join(folder).join("Cargo.toml")) {
        let package = manifest.lines().find_map(|line| line.strip_prefix("name = "));
        return arguments(&["--package", package.unwrap_or(name).trim_matches('"')]);
    }
    arguments(&["--workspace", name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_selects_a_suite_a_crate_or_tests() {
        let selected = |name| selection(workspace::root(), name).join(" ");
        assert_eq!(selected(None), "--workspace");
        assert_eq!(selected(Some("harness")), "--workspace --test harness");
        assert_eq!(selected(Some("destination")), "--package linkerd-destination");
        assert_eq!(selected(Some("linkerd-destination")), "--package linkerd-destination");
        assert_eq!(selected(Some("xtask")), "--package xtask");
        assert_eq!(selected(Some("a_port_is_given_once")), "--workspace a_port_is_given_once");
    }
}
