//! `cargo xtask cluster test`: the mesh on the cluster that is up, from install to uninstall.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Load, PROXY_VARIABLES, state};
use crate::progress::heading;
use crate::{images, run, tools, workspace};

#[derive(clap::Args)]
pub struct Args {
    /// The linkerd2-proxy for injected pods; without it the program that stands in for it is taken, and the
    /// steps that judge traffic are not run
    #[arg(long, value_name = "PATH")]
    proxy: Option<PathBuf>,
    /// How the programs are built; `dev` takes less time
    #[arg(long, value_name = "NAME", default_value = images::RELEASE)]
    profile: String,
    /// Only these steps, on what an earlier run left
    #[arg(long = "only", value_name = "STEP")]
    only: Vec<String>,
}

impl Args {
    /// The whole suite, with the double and with programs that are built quickly.
    pub fn quick() -> Self {
        Self { proxy: None, profile: "dev".to_owned(), only: Vec::new() }
    }
}

/// Builds what is tested, brings it into the cluster, and runs the suite.
pub fn run(args: &Args) -> Result<()> {
    state::provider()?.context("there is no cluster; `cargo xtask cluster up` makes one")?;
    images::run(&images::Args::all(args.proxy.clone(), &args.profile))?;
    heading("images into the cluster");
    super::load(&Load { archives: Vec::new() })?;
    heading("command line and suite");
    let packages = ["--package", "linkerd-cli", "--package", "linkerd-tests"];
    run::visible(run::cargo().args(["build", "--bins"]).args(packages))?;

    heading("suite");
    let built = workspace::target().join("debug");
    let mut suite = Command::new(built.join("linkerd-e2e"));
    suite.arg("--kubeconfig").arg(state::kubeconfig());
    suite.arg("--linkerd").arg(built.join("linkerd"));
    suite.arg("--kubectl").arg(tools::provide(tools::KUBECTL)?);
    suite.arg("--proxy").arg(if args.proxy.is_some() { "real" } else { "double" });
    let proxy = images::proxy_name();
    suite.arg(format!("--install=--set=proxy.image.name={proxy}"));
    suite.arg(format!("--install=--set=proxy.image.version={}", env!("CARGO_PKG_VERSION")));
    match args.only.is_empty() {
        true => suite.arg("--clean"),
        false => suite.args(args.only.iter().map(|step| format!("--only={step}"))),
    };
    for variable in PROXY_VARIABLES {
        suite.env_remove(variable);
    }
    run::visible(&mut suite).context("the mesh does not do on a cluster what it promises")
}
