//! `linkerd diagnostics`: what the control plane tells proxies.

mod connect;
mod controller_metrics;
mod dump;
mod endpoints;
mod metrics;
mod policy;
mod profile;
mod proxy_metrics;
mod status;

use crate::{
    app,
    global::{Global, given},
};
use std::{future::Future, process::ExitCode, time::Duration};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Show what the control plane tells proxies
///
/// The commands ask the gRPC API that proxies use: that of `--api-addr`, else that of the cluster which
/// `--kubeconfig`, `--context` or `--as` name, else that of a running sandbox, else that of the cluster of
/// the default kubeconfig. With --verbose they log which one. The metrics are always those of a cluster.
#[derive(Debug, clap::Args)]
pub struct DiagnosticsArgs {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(visible_alias = "cp-metrics")]
    ControllerMetrics(controller_metrics::ControllerMetricsArgs),
    #[command(visible_alias = "ep")]
    Endpoints(endpoints::EndpointsArgs),
    Policy(policy::PolicyArgs),
    Profile(profile::ProfileArgs),
    ProxyMetrics(proxy_metrics::ProxyMetricsArgs),
}

/// Which pod of a cluster to ask.
#[derive(Debug, clap::Args)]
struct PodArgs {
    /// Pod of the cluster's control plane to ask, instead of one that is found
    #[arg(long, value_name = "NAME")]
    destination_pod: Option<String>,
}

impl PodArgs {
    fn name(&self) -> Option<&str> {
        given(&self.destination_pod)
    }
}

/// Runs the sub-command; without one, prints help.
///
/// # Errors
/// When the sub-command fails.
pub fn run(args: DiagnosticsArgs, global: &Global, words: &[String]) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::ControllerMetrics(args)) => block_on(controller_metrics::run(args, global)),
        Some(Command::Endpoints(args)) => block_on(endpoints::run(args, global)),
        Some(Command::Policy(args)) => block_on(policy::run(args, global)),
        Some(Command::Profile(args)) => block_on(profile::run(args, global)),
        Some(Command::ProxyMetrics(args)) => block_on(proxy_metrics::run(args, global)),
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
