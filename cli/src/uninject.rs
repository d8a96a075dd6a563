//! `linkerd uninject`.

use crate::{
    global::Global,
    inject::{format_of, transformed},
    input,
};
use linkerd_injector::manifest;
use std::process::ExitCode;

/// Remove the proxy, and what asks for it, from manifests
///
/// Takes out what `linkerd inject` wrote: containers and volumes of the proxy, and the labels and
/// annotations of Linkerd, except an annotation that disables injection.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd uninject [OPTIONS] FILE|FOLDER|URL|-",
    after_help = "Example:\n  kubectl get deploy -o yaml | linkerd uninject - | kubectl apply -f -"
)]
pub struct UninjectArgs {
    // Hidden, since the usage says it better.
    #[arg(hide = true)]
    source: Vec<String>,
    /// Form of the output: yaml or json
    #[arg(long, short, value_name = "FORMAT", default_value = "yaml")]
    output: String,
}

/// Prints the manifests.
///
/// # Errors
/// When a manifest cannot be read.
pub fn run(args: UninjectArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let format = format_of(&args.output)?;
    let manifests = input::read(&args.source)?;
    let inputs: Vec<_> = manifests.iter().map(input::Manifest::as_input).collect();
    transformed(manifest::uninject(&inputs, format), global)
}
