//! The tree of commands.

use crate::{check, completion, diagnostics, global::Global, inject, install, sandbox, uninject, uninstall, version};
use clap::{CommandFactory as _, Parser, Subcommand};

/// Controls Linkerd, a service mesh.
///
/// The commands that ask a control plane find a cluster by its kubeconfig, or a running sandbox; start one
/// with `linkerd sandbox PATH`.
#[derive(Debug, Parser)]
#[command(name = "linkerd", args_override_self = true, infer_long_args = false)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(check::CheckArgs),
    /// Print a script that completes commands and options in a shell
    Completion(completion::CompletionArgs),
    #[command(visible_alias = "dg")]
    Diagnostics(diagnostics::DiagnosticsArgs),
    Inject(Box<inject::InjectArgs>),
    Install(Box<install::InstallArgs>),
    Sandbox(Box<sandbox::SandboxArgs>),
    Uninject(uninject::UninjectArgs),
    Uninstall(uninstall::UninstallArgs),
    Version(version::VersionArgs),
}

/// The tree, built.
pub fn tree() -> clap::Command {
    let mut tree = Arguments::command();
    tree.build();
    tree
}

/// Follows the words of a command line down the tree, past options.
///
/// Returns the command that they name, and the first word behind it that names none.
pub fn named<'t>(tree: &'t clap::Command, words: &[String]) -> (&'t clap::Command, Option<String>) {
    let mut command = tree;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            return (command, words.next().cloned());
        }
        if let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) {
            if takes_next(command, option) {
                words.next();
            }
            continue;
        }
        match command.find_subcommand(word) {
            Some(next) => command = next,
            None => return (command, Some(word.clone())),
        }
    }
    (command, None)
}

/// A command as it is typed, such as `linkerd diagnostics endpoints`.
pub fn path(command: &clap::Command) -> &str {
    command.get_bin_name().unwrap_or("linkerd")
}

/// Whether the word behind an option is its value; `option` is without its first dash.
fn takes_next(command: &clap::Command, option: &str) -> bool {
    let arg = match option.strip_prefix('-') {
        Some(long) if long.contains('=') => return false,
        Some(long) => command.get_arguments().find(|arg| arg.get_long() == Some(long)),
        None => {
            let mut letters = option.chars();
            let letter = letters.next();
            // The value may follow in the same word.
            if letters.next().is_some() {
                return false;
            }
            command.get_arguments().find(|arg| arg.get_short() == letter)
        }
    };
    arg.is_some_and(|arg| arg.get_action().takes_values() && !arg.is_require_equals_set())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: &str) -> (String, Option<String>) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let tree = tree();
        let (command, rest) = named(&tree, &words);
        (path(command).to_owned(), rest)
    }

    #[test]
    fn a_command_is_found_past_options_and_under_its_aliases() {
        let cases = [
            ("", "linkerd", None),
            ("-L l5d version", "linkerd version", None),
            ("--api-addr=h:1 --verbose dg ep web -o json", "linkerd diagnostics endpoints", Some("web")),
            ("-Ll5d diagnostics nope", "linkerd diagnostics", Some("nope")),
            ("nope version", "linkerd", Some("nope")),
        ];
        for (line, command, rest) in cases {
            assert_eq!(place(line), (command.to_owned(), rest.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn the_tree_of_commands_is_sound() {
        Arguments::command().debug_assert();
    }
}
