//! The mesh on a real cluster, from `linkerd install` to `linkerd uninstall`: a suite of steps.
//!
//! Black box: the steps use the `linkerd` command, kubectl and the Kubernetes API of whatever cluster the
//! kubeconfig names. They build on one another and run in order; the first failure ends the run, prints
//! what was seen last, and leaves the cluster as it is. Run by `cargo xtask cluster test`.

mod evidence;
mod load;
mod mesh;
mod metrics;
mod objects;
mod report;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};

use mesh::Mesh;
use report::Report;
use steps::{STEPS, Step};

/// Test the mesh on a cluster
#[derive(Parser)]
#[command(name = "linkerd-e2e")]
struct Args {
    /// File that tells how to reach the cluster
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// The command line under test
    #[arg(long, value_name = "FILE")]
    linkerd: PathBuf,
    /// kubectl
    #[arg(long, value_name = "FILE")]
    kubectl: PathBuf,
    /// What the image of the proxy holds
    #[arg(long, value_enum)]
    proxy: Proxy,
    /// Further arguments of `linkerd install`, say `--set=proxy.image.name=…`
    #[arg(long = "install", value_name = "ARGUMENT", allow_hyphen_values = true)]
    install: Vec<String>,
    /// Remove a control plane that is there, and the demo, before the first step
    #[arg(long)]
    clean: bool,
    /// Only these steps, on what earlier runs left
    #[arg(long = "only", value_name = "STEP")]
    only: Vec<String>,
}

/// What stands beside the applications.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Proxy {
    /// A released `linkerd2-proxy`.
    Real,
    /// The double, which does with the control plane what the proxy does, and forwards bytes.
    Double,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(Args::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let chosen = chosen(&args.only)?;
    let mesh = Mesh::connect(&args).await?;
    if args.clean {
        steps::clean(&mesh).await.context("cannot remove what is in the cluster")?;
    }
    let (started, mut report) = (Instant::now(), Report::default());
    for step in &chosen {
        if step.needs_real_proxy && mesh.proxy == Proxy::Double {
            println!("--    {}: not run, it needs the real proxy (--proxy PATH)", step.name);
            report.left_out.push(step.name);
            continue;
        }
        let begun = Instant::now();
        println!("..    {}", step.name);
        if let Err(error) = (step.run)(&mesh, &mut report).await {
            println!("FAIL  {} after {:.1} s: {error:#}", step.name, begun.elapsed().as_secs_f64());
            evidence::print(&mesh).await;
            bail!("step {:?} failed; the cluster is left as it is", step.name);
        }
        println!("ok    {} ({:.1} s)", step.name, begun.elapsed().as_secs_f64());
    }
    println!("\n{report}");
    let (run, seconds) = (chosen.len() - report.left_out.len(), started.elapsed().as_secs_f64());
    println!("{run} steps passed, {} not run, in {seconds:.0} s", report.left_out.len());
    Ok(())
}

fn chosen(only: &[String]) -> Result<Vec<&'static Step>> {
    let names = || STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    for name in only {
        ensure!(STEPS.iter().any(|step| step.name == name), "there is no step {name:?}; known: {}", names());
    }
    let is_chosen = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    Ok(STEPS.iter().filter(is_chosen).collect())
}
