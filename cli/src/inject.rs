//! `linkerd inject`.

mod cluster;
mod flags;

use crate::{colours::Colours, failure::Bare, global::Global, input, output};
use anyhow::{anyhow, bail};
use linkerd_injector::{
    core::values::Values,
    manifest::{self, Failed, Format, InjectOptions, Manual, Transformed, overrides::Overrides},
};
use std::process::ExitCode;

/// Add to manifests what makes the control plane inject its proxy
///
/// Prints the manifests with annotations on workloads and Namespaces; everything else passes as it is.
/// The options become annotations where they differ from the values that the control plane of the cluster
/// was installed with, or from the defaults of the Helm chart with --ignore-cluster.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd inject [OPTIONS] FILE|FOLDER|URL|-",
    after_help = "Examples:\n  \
                        kubectl get deploy -o yaml | linkerd inject - | kubectl apply -f -\n  \
                        linkerd inject --ingress --ignore-cluster application.yaml"
)]
pub struct InjectArgs {
    // Hidden, since the usage says it better.
    #[arg(hide = true)]
    source: Vec<String>,
    /// Write the whole proxy, not only annotations
    #[arg(long)]
    manual: bool,
    /// Compare with the defaults of the Helm chart, and ask no cluster
    #[arg(long)]
    ignore_cluster: bool,
    /// Form of the output: yaml or json
    #[arg(long, short, value_name = "FORMAT", default_value = "yaml")]
    output: String,
    #[command(flatten)]
    flags: flags::FlagArgs,
}

/// Prints the manifests.
///
/// # Errors
/// When an option is wrong, or a manifest cannot be read or injected.
pub fn run(args: InjectArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let manifests = input::read(&args.source)?;
    let format = format_of(&args.output)?;
    let registry = std::env::var("LINKERD_DOCKER_REGISTRY").ok().filter(|registry| !registry.is_empty());
    let base = base(&args, global)?;
    let overrides = Overrides::new(&base, &args.flags.into_flags(registry)?)?;
    let token_projection = base.identity.service_account_token_projection;
    let manual = args.manual.then(|| Manual::new(base, global.namespace())).transpose()?;
    let inputs: Vec<_> = manifests.iter().map(input::Manifest::as_input).collect();
    let options = InjectOptions { overrides: &overrides, token_projection, manual: manual.as_ref(), format };
    transformed(manifest::inject(&inputs, &options), global)
}

/// The values that options are compared with.
fn base(args: &InjectArgs, global: &Global) -> anyhow::Result<Values> {
    if args.ignore_cluster {
        tracing::debug!("using the defaults of the chart");
        return Ok(Values::default());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let values = runtime.block_on(cluster::values(global));
    // A name that is still looked up, say, is nobody's concern any more.
    runtime.shutdown_background();
    values
}

/// The form of the output.
///
/// # Errors
/// When there is no such form.
pub fn format_of(text: &str) -> anyhow::Result<Format> {
    text.parse().map_err(|error| anyhow!(Bare(Failed(vec![error]).to_string())))
}

/// Writes what a transformation made, or why it failed.
///
/// # Errors
/// When it failed, or standard output cannot be written.
pub fn transformed(result: Result<Transformed, Failed>, global: &Global) -> anyhow::Result<ExitCode> {
    match result {
        Ok(Transformed { manifests, report }) => {
            output::print(&manifests)?;
            eprint!("{}", Colours::of_process().symbols(&report.render(global.verbose)));
            Ok(ExitCode::SUCCESS)
        }
        Err(failed) => bail!(Bare(failed.to_string())),
    }
}
