//! `linkerd completion`: scripts for shells.

use crate::{arguments::tree, failure::exactly, output};
use anyhow::bail;
use clap_complete::{Shell, generate};
use std::process::ExitCode;

/// Options of `completion`.
///
/// Load the script in the current shell with, for example: source <(linkerd completion bash)
#[derive(Debug, clap::Args)]
#[command(override_usage = "linkerd completion bash|zsh|fish", verbatim_doc_comment)]
pub struct CompletionArgs {
    /// The shell: bash, zsh or fish
    #[arg(value_name = "SHELL")]
    shell: Vec<String>,
}

/// Prints a script.
///
/// # Errors
/// When the shell is not supported.
pub fn run(args: CompletionArgs) -> anyhow::Result<ExitCode> {
    let [shell] = exactly(args.shell)?;
    let shell = match shell.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => bail!("unsupported shell type (must be bash, zsh or fish): {shell}"),
    };
    let mut script = Vec::new();
    generate(shell, &mut tree(), "linkerd", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}
