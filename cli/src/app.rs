//! From the words of a command line to an exit code.

use crate::{
    arguments::{Arguments, Command, named, tree},
    check,
    colours::Colours,
    completion, diagnostics, failure,
    global::Global,
    inject, install, output, sandbox, uninject, uninstall, version,
};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::{ffi::OsString, process::ExitCode};

/// Runs the command that the words name; the first word is the program.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let texts: Vec<String> = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let parsed = Arguments::command().color(Colours::of_process().choice()).try_get_matches_from(words);
    let parsed = parsed.and_then(|matches| Arguments::from_arg_matches(&matches));
    let result = match parsed {
        Ok(arguments) => execute(arguments, &texts),
        Err(error) => failure::of_arguments(error, &texts),
    };
    result.unwrap_or_else(|error| failure::report(&error, &texts))
}

fn execute(Arguments { global, command }: Arguments, words: &[String]) -> anyhow::Result<ExitCode> {
    let Some(command) = command else { return help(words) };
    let global = global.resolve(std::env::var("LINKERD_NAMESPACE").ok())?;
    match command {
        Command::Check(args) => with_log(&global, || check::run(&args, &global)),
        Command::Completion(args) => completion::run(args),
        Command::Diagnostics(args) => with_log(&global, || diagnostics::run(args, &global, words)),
        Command::Inject(args) => with_log(&global, || inject::run(*args, &global)),
        Command::Install(args) => with_log(&global, || install::run(&args, &global)),
        Command::Sandbox(args) => sandbox::run(*args, &global),
        Command::Uninject(args) => with_log(&global, || uninject::run(args, &global)),
        Command::Uninstall(args) => with_log(&global, || uninstall::run(&args, &global)),
        Command::Version(args) => with_log(&global, || version::run(args, &global)),
    }
}

/// What is logged with `--verbose`: what this program does, without the frames of its connections.
const VERBOSE: &str = "debug,h2=info,hyper_util=info,rustls=info,tower=info,tungstenite=info";

/// Runs a command whose log is only wanted with `--verbose`.
fn with_log<T>(global: &Global, command: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    if global.verbose {
        linkerd_controller::logging::init(VERBOSE, linkerd_controller::logging::Format::Plain)?;
        tracing::debug!(namespace = global.namespace(), "control plane");
    }
    command()
}

/// Prints the help of the command that the words name: what a group does without sub-command.
pub fn help(words: &[String]) -> anyhow::Result<ExitCode> {
    let tree = tree().color(Colours::of_process().choice());
    let (command, _) = named(&tree, words);
    output::print(&command.clone().render_help().to_string())?;
    Ok(ExitCode::SUCCESS)
}
