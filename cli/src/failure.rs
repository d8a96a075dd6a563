//! How failures are shown.

use crate::{
    app,
    arguments::{named, path, tree},
    output,
};
use anyhow::anyhow;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::{error::Error as _, fmt, process::ExitCode};

/// A failure that is about the subject, not about the way the command was called: it is shown as it is,
/// without the usage of the command.
#[derive(Debug)]
pub struct Bare(pub String);

impl Bare {
    /// A failure told in one line.
    pub fn line(text: impl fmt::Display) -> Self {
        Self(format!("{text}\n"))
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Bare {}

/// Reports a failure on standard error.
pub fn report(error: &anyhow::Error, words: &[String]) -> ExitCode {
    eprint!("{}", shown(error, words));
    ExitCode::FAILURE
}

fn shown(error: &anyhow::Error, words: &[String]) -> String {
    if let Some(Bare(text)) = error.downcast_ref::<Bare>() {
        return text.clone();
    }
    let tree = tree();
    let (command, _) = named(&tree, words);
    let name = path(command);
    let usage = command.clone().render_usage();
    format!("Error: {error:#}\n{usage}\n\nRun '{name} --help' for its options.\n")
}

/// What to do about words that are no command line: show help if they ask for it, or say what is wrong.
///
/// # Errors
/// What is wrong.
pub fn of_arguments(error: clap::Error, words: &[String]) -> anyhow::Result<ExitCode> {
    let tree = tree();
    let (command, word) = named(&tree, words);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output::print(&error.render().to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        ErrorKind::InvalidSubcommand if command.get_name() == "help" => {
            eprintln!("Unknown help topic {}; run 'linkerd --help' for the commands.", invalid(&error));
            Ok(ExitCode::SUCCESS)
        }
        ErrorKind::InvalidSubcommand if path(command) != path(&tree) => app::help(words),
        ErrorKind::InvalidSubcommand => Err(Bare::line(unknown_command(&error, &word.unwrap_or_default())).into()),
        _ => Err(anyhow!(argument_message(&error, path(command)))),
    }
}

fn unknown_command(error: &clap::Error, word: &str) -> String {
    let near = texts(error.get(ContextKind::SuggestedSubcommand));
    let near: String = match near.is_empty() {
        true => String::new(),
        false => format!("\nDid you mean this?\n{}", near.iter().map(|name| format!("\t{name}\n")).collect::<String>()),
    };
    format!("Error: unknown command \"{word}\" for \"linkerd\"\n{near}\nRun 'linkerd --help' for usage.")
}

/// What is wrong with an argument of `command`.
fn argument_message(error: &clap::Error, command: &str) -> String {
    // Such as `--output <FORMAT>`.
    let argument = texts(error.get(ContextKind::InvalidArg)).into_iter().next().unwrap_or_default();
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default();
    let value = texts(error.get(ContextKind::InvalidValue)).into_iter().next();
    match (error.kind(), value.as_deref()) {
        (ErrorKind::UnknownArgument, _) if flag.starts_with("--") => {
            let near = texts(error.get(ContextKind::SuggestedArg));
            let near = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("unknown flag: {flag}{near}")
        }
        (ErrorKind::UnknownArgument, _) if flag.starts_with('-') => {
            format!("unknown shorthand flag: '{}' in {argument}", flag.trim_start_matches('-'))
        }
        (ErrorKind::UnknownArgument, _) => format!("unknown command \"{argument}\" for \"{command}\""),
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = texts(error.get(ContextKind::InvalidArg)).join(", ");
            format!("missing argument: {}", missing.replace(['<', '>'], ""))
        }
        (ErrorKind::InvalidValue | ErrorKind::TooFewValues, None | Some("")) => {
            format!("flag needs an argument: {flag}")
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(value)) => {
            let reason = error.source().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("invalid argument \"{value}\" for \"{flag}\" flag{reason}")
        }
        _ => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

fn invalid(error: &clap::Error) -> String {
    texts(error.get(ContextKind::InvalidSubcommand)).into_iter().next().unwrap_or_default()
}

fn texts(value: Option<&ContextValue>) -> Vec<String> {
    match value {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// Checks how many words follow a command.
///
/// # Errors
/// When there are not exactly `wanted`.
pub fn exactly<const N: usize>(words: Vec<String>) -> anyhow::Result<[String; N]> {
    words.try_into().map_err(|words: Vec<String>| anyhow!("accepts {N} arg(s), received {}", words.len()))
}
