//! `linkerd diagnostics`: what the control plane tells proxies.

mod connect;
mod dump;
mod endpoints;
mod policy;
mod profile;
mod status;

use crate::{app, global::Global};
use std::{future::Future, process::ExitCode, time::Duration};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Show what the control plane tells proxies
///
/// The commands ask the gRPC API that proxies use: that of `--api-addr`, else that of a running
/// sandbox.
#[derive(Debug, clap::Args)]
pub struct DiagnosticsArgs {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show where requests to a Service go
    #[command(visible_alias = "ep")]
    Endpoints(endpoints::EndpointsArgs),
    /// Show the policy of a port of a Pod or Service
    Policy(policy::PolicyArgs),
    /// Show the profile of an address
    Profile(profile::ProfileArgs),
}

/// Runs the sub-command; without one, prints help.
///
/// # Errors
/// When the sub-command fails.
pub fn run(args: DiagnosticsArgs, global: &Global, words: &[String]) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Endpoints(args)) => block_on(endpoints::run(args, global)),
        Some(Command::Policy(args)) => block_on(policy::run(args, global)),
        Some(Command::Profile(args)) => block_on(profile::run(args, global)),
        None => app::help(words),
    }
}

fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)?;
    // A name that is still looked up, say, is nobody's concern any more.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}
