//! `linkerd check`: whether the control plane can be installed, or works.
//!
//! Inputs: the cluster, which is only read, but for dry runs that store nothing. Outputs: a report. The checks
//! are rows of a table ([`catalogue`]); the engine runs them in order, and renderers write what it finds.
//! Invariants: a check that fails says how to mend it; what the charts do not install is not asked for; nothing
//! is printed on standard error when all is well.

mod catalogue;
mod context;
mod engine;
mod extensions;
mod reads;
mod report;
mod rules;
mod verdict;

use crate::{global::Global, version};
use anyhow::{anyhow, bail};
use catalogue::Mode;
use clap::Args;
use context::{Context, Options};
use linkerd_controller::args::go_bool;
use linkerd_k8s::duration::parse_go;
use report::{Form, Reporter};
use std::{process::ExitCode, time::Duration};
use tokio::time::Instant;

/// Check that Linkerd can be installed, or works
///
///   linkerd check --pre     before it is installed
///   linkerd check           the control plane
///   linkerd check --proxy   the control plane, and the proxies of pods
///
/// Exits with 1 when a check fails; warnings do not count.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CheckArgs {
    /// Check whether Linkerd can be installed
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    pre: bool,
    /// Check the custom resource definitions only
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    crds: bool,
    /// Check the proxies of pods too
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    proxy: bool,
    /// Namespace of the pods, with --proxy [default: all namespaces]
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The CNI plug-in will redirect the traffic of pods, with --pre
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    linkerd_cni_enabled: bool,
    /// The version that everything should have; without it, versions are only compared with each other
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<String>,
    /// The version that this program pretends to have
    #[arg(long, value_name = "VERSION", hide = true)]
    cli_version_override: Option<String>,
    /// Form of the report: table, short or json
    #[arg(long, short, value_name = "FORM", default_value = "table")]
    output: String,
    /// How long to wait for what may still become well
    #[arg(long, value_name = "DURATION", default_value = "5m0s", value_parser = duration)]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_go(text).map_err(|error| error.to_string())?;
    if duration.is_negative { Err("use a duration such as 30s or 5m".to_owned()) } else { Ok(duration.length) }
}

/// Checks, and writes the report.
///
/// # Errors
/// When options contradict each other, or standard output cannot be written.
pub fn run(args: &CheckArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let (mode, form) =
        validated(args).map_err(|error| anyhow!("Validation error when executing check command: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_success = runtime.block_on(check(args, global, mode, form))?;
    // An answer that is still waited for is nobody's concern any more.
    runtime.shutdown_background();
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn validated(args: &CheckArgs) -> anyhow::Result<(Mode, Form)> {
    if args.pre && args.proxy {
        bail!("--pre and --proxy flags are mutually exclusive");
    }
    if args.pre && args.crds {
        bail!("--pre and --crds flags are mutually exclusive");
    }
    if args.linkerd_cni_enabled && !args.pre {
        bail!("--linkerd-cni-enabled can only be used with --pre");
    }
    let Some(form) = Form::named(&args.output) else {
        bail!("Invalid output type '{}'. Supported output types are: json, table, short", args.output);
    };
    let mode = match (args.pre, args.crds, args.proxy) {
        (true, ..) => Mode::Pre { cni: args.linkerd_cni_enabled },
        (_, true, _) => Mode::Crds,
        (_, _, true) => Mode::DataPlane,
        _ => Mode::ControlPlane,
    };
    Ok((mode, form))
}

async fn check(args: &CheckArgs, global: &Global, mode: Mode, form: Form) -> anyhow::Result<bool> {
    let deadline = Instant::now() + args.wait;
    let given = |option: &Option<String>| option.clone().filter(|value| !value.is_empty());
    let mut context = Context::new(Options {
        global: global.clone(),
        data_plane_namespace: given(&args.namespace),
        expected_version: given(&args.expected_version),
        cli_version: given(&args.cli_version_override).unwrap_or_else(version::of_program),
        wants_cni: args.linkerd_cni_enabled,
    });
    let mut reporter = Reporter::new(form);
    let mut is_success = engine::run(catalogue::of(mode), &mut context, deadline, &mut reporter).await?;
    if matches!(mode, Mode::ControlPlane | Mode::DataPlane) {
        let flags = extensions::Flags { global, namespace: given(&args.namespace), proxy: args.proxy, wait: args.wait };
        is_success &= extensions::run(&context, &flags, &mut reporter).await?;
    }
    reporter.finish(is_success)?;
    Ok(is_success)
}

#[cfg(test)]
mod tests;
