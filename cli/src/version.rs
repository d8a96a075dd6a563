//! `linkerd version`.

use crate::{global::Global, output, sandbox::runtime};
use std::process::ExitCode;

/// Version of the server when none answers.
const UNAVAILABLE: &str = "unavailable";

/// Print the versions of this program and of the control plane
///
/// The control plane is that of a running sandbox; without one, its version is unavailable.
#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// Print the version of this program only
    #[arg(long)]
    client: bool,
    /// Print bare versions, one on a line
    #[arg(long)]
    short: bool,
}

/// Version of this program.
pub fn of_program() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Prints versions.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: VersionArgs, _: &Global) -> anyhow::Result<ExitCode> {
    let server = (!args.client).then(|| {
        let running = runtime::running();
        running.map_or_else(|| UNAVAILABLE.to_owned(), |running| running.version)
    });
    output::print(&text(&of_program(), server.as_deref(), args.short))?;
    Ok(ExitCode::SUCCESS)
}

fn text(client: &str, server: Option<&str>, is_short: bool) -> String {
    let versions = [("Client", Some(client)), ("Server", server)];
    let lines = versions.into_iter().filter_map(|(side, version)| {
        let version = version?;
        Some(if is_short { format!("{version}\n") } else { format!("{side} version: {version}\n") })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_unless_short() {
        assert_eq!(text("1", Some("2"), false), "Client version: 1\nServer version: 2\n");
        assert_eq!(text("1", None, false), "Client version: 1\n");
        assert_eq!(text("1", Some(UNAVAILABLE), true), "1\nunavailable\n");
        assert_eq!(text("1", None, true), "1\n");
    }
}
