//! `linkerd2-proxy-init`: reads the command line, and puts the rules in force.

pub mod args;
pub mod command;
pub mod firewall;
pub mod log;
pub mod namespace;

use crate::core::config::{Config, Mistake};
use args::{Args, Stop};
use log::{Level, Log};
use std::{ffi::OsString, process::ExitCode};

/// How and where the rules are put in force.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// Log what would be run, and run nothing.
    pub simulate: bool,
    /// Path of the network namespace, unless it is the program's own.
    pub netns: Option<String>,
    /// Wait for the lock of iptables as long as it takes.
    pub wait_without_limit: bool,
    /// Seconds for which the kernel is to remember half-closed connections.
    pub close_wait_seconds: Option<i64>,
}

/// The whole program. Log lines go to standard output, the reason of a failure to standard error.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reasons) => {
            for reason in reasons {
                eprintln!("Error: {reason}");
            }
            eprintln!("{}", args::usage());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Vec<String>> {
    let args = match Args::read(arguments) {
        Ok(args) => args,
        Err(Stop::Help(text)) => {
            print!("{text}");
            return Ok(());
        }
        Err(Stop::Invalid(reason)) => return Err(vec![reason]),
    };
    let (level, format) = args.logging();
    let level = level.parse::<Level>();
    let config = Config::new(&args.options());
    let (level, config) = match (level, config) {
        (Ok(level), Ok(config)) => (level, config),
        (level, config) => {
            let mistakes = config.err().unwrap_or_default();
            log_ports(&Log::stdout(*level.as_ref().unwrap_or(&Level::Info), format), &mistakes);
            let level = level.err().map(|error| error.to_string());
            return Err(level.into_iter().chain(mistakes.iter().map(ToString::to_string)).collect());
        }
    };
    let log = Log::stdout(level, format);
    firewall::configure(&config, &args.execution(), &log).map_err(|error| vec![error.to_string()])
}

/// A port that was left out of a list used to be told here alone, and readers may look for it.
fn log_ports(log: &Log, mistakes: &[Mistake]) {
    for mistake in mistakes {
        if let Mistake::IgnoredPort { source, .. } = mistake {
            log.error(&source.to_string());
        }
    }
}
