//! The command line of `linkerd2-network-validator`.

use super::duration;
use clap::{
    Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::{ffi::OsString, net::SocketAddr, str::FromStr, time::Duration};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Checks that a pod's connections are redirected to a listener of this program
#[derive(Debug, Parser)]
#[command(name = "linkerd2-network-validator", version)]
pub struct Args {
    /// Lowest level that is logged: off, error, warn, info, debug or trace, or a filter such as
    /// `linkerd=debug,warn`
    #[arg(long, env = "LINKERD_NETWORK_VALIDATOR_LOG_LEVEL", value_name = "LEVEL", default_value = "info",
          value_parser = log_level)]
    pub log_level: Targets,
    /// Form of log lines: plain or json
    #[arg(long, env = "LINKERD_NETWORK_VALIDATOR_LOG_FORMAT", value_name = "FORMAT", default_value = "plain")]
    pub log_format: LogFormat,
    /// How long to try, such as 10s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    pub timeout: Duration,
    /// Address to listen on: that to which connections are redirected
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:4140")]
    pub listen_addr: SocketAddr,
    /// Address to connect to: any to which nothing listens
    #[arg(long, value_name = "ADDRESS", default_value = "192.0.2.2:1404")]
    pub connect_addr: SocketAddr,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text.
    Plain,
    /// One JSON object on each line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" => Ok(Self::Plain),
            "json" => Ok(Self::Json),
            _ => Err("use plain or json"),
        }
    }
}

/// Why the arguments make no command.
#[derive(Debug)]
pub enum Stop {
    /// Help or version was asked for; the text is for standard output.
    Text(String),
    /// What is wrong, in one line.
    Invalid(String),
}

impl Args {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// When help or version is asked for, or a flag is unknown or its value bad.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Stop> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Text(error.to_string()),
            _ => Stop::Invalid(explain(&error)),
        })
    }
}

fn explain(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    if error.kind() == ErrorKind::ValueValidation {
        let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let (value, argument) = (context(ContextKind::InvalidValue), context(ContextKind::InvalidArg));
        return format!("invalid value {value:?} for {argument}: {reason}");
    }
    error.render().to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A bare word must be a level. The library would take any as the name of a module, and log nothing.
fn log_level(text: &str) -> Result<Targets, &'static str> {
    let invalid = "use off, error, warn, info, debug, trace or a filter such as linkerd=debug,warn";
    let known = |item: &str| item.contains('=') || item.trim().parse::<LevelFilter>().is_ok();
    if !text.split(',').all(known) || text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid);
    }
    text.parse().map_err(|_| invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words = ["linkerd2-network-validator"].into_iter().chain(line.split_whitespace());
        Args::read(words.map(OsString::from)).map_err(|stop| match stop {
            Stop::Text(text) | Stop::Invalid(text) => text,
        })
    }

    #[test]
    fn arguments_as_the_chart_writes_them() {
        let args = read(
            "--log-format plain --log-level debug --connect-addr [fd00::1]:20001 --listen-addr [::]:4140 --timeout 10s",
        )
        .unwrap();
        assert_eq!(args.connect_addr.to_string(), "[fd00::1]:20001");
        assert_eq!(args.listen_addr.to_string(), "[::]:4140");
        assert_eq!(args.timeout, Duration::from_secs(10));
        let defaults = read("").unwrap();
        assert_eq!(defaults.connect_addr.to_string(), "192.0.2.2:1404");
        assert_eq!(defaults.listen_addr.to_string(), "0.0.0.0:4140");
    }

    // case 47
    #[test]
    fn a_bad_value_is_told_in_one_line() {
        assert_eq!(
            read("--log-format foo").unwrap_err(),
            r#"invalid value "foo" for --log-format <FORMAT>: use plain or json"#
        );
        for bad in ["--log-level foo", "--log-level 7", "--timeout 120", "--listen-addr 4140", "--nonsense"] {
            let told = read(bad).unwrap_err();
            assert!(told.lines().count() == 1 && !told.is_empty(), "{bad}: {told}");
        }
        for good in ["--log-level warn,linkerd=debug", "--log-level DEBUG", "--log-level off"] {
            assert!(read(good).is_ok(), "{good}");
        }
        assert!(read("--version").unwrap_err().starts_with("linkerd2-network-validator "));
    }
}
