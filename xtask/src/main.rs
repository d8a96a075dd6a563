//! `cargo xtask`: everything a contributor or CI does around `cargo build`.
//!
//! Each sub-command does its own set-up on a fresh machine, so that the README
//! can promise one command. What is downloaded or built is kept below `.cache/`.

mod bench;
mod check;
mod cluster;
mod documents;
mod generate;
mod images;
mod progress;
mod run;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Provide what the tests start besides our binaries: etcd, kube-apiserver, helm
    Tools(tools::Args),
    /// Provide the tools, build the binaries, run every test of the workspace
    Test(test::Args),
    /// Measure memory and latency at scale, in release mode, and print tables
    Bench,
    /// Make the container images of our programs, as archives
    Images(images::Args),
    // What it says about itself is longer than a line.
    Cluster(cluster::Args),
    /// Write the generated files, or check that they are up to date
    Generate(generate::Args),
    /// Everything CI checks: format, lints, licences, generated files, documents, cluster, tests
    Ci(check::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Tools(args) => tools::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bench => bench::run(),
        Command::Images(args) => images::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Ci(args) => check::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Causes without a backtrace: what failed is mostly another program.
            eprintln!("\nerror: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}
