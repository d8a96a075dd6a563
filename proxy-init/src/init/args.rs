//! The command line of `linkerd2-proxy-init`.

use crate::{
    core::config::Options,
    init::{Execution, log},
};
use clap::{
    ArgAction, CommandFactory, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::ffi::OsString;

/// Redirects the TCP connections of a network namespace through a proxy
#[derive(Debug, Parser)]
#[command(name = "linkerd2-proxy-init", disable_version_flag = true, args_override_self = true)]
pub struct Args {
    /// Port of the proxy for inbound connections
    #[arg(short = 'p', long, value_name = "PORT", default_value_t = -1, allow_negative_numbers = true)]
    incoming_proxy_port: i64,
    /// Port of the proxy for outbound connections
    #[arg(short = 'o', long, value_name = "PORT", default_value_t = -1, allow_negative_numbers = true)]
    outgoing_proxy_port: i64,
    /// User whose connections are not redirected: that of the proxy
    #[arg(short = 'u', long, value_name = "UID", default_value_t = -1, allow_negative_numbers = true)]
    proxy_uid: i64,
    /// Primary group whose connections are not redirected
    #[arg(short = 'g', long, value_name = "GID", default_value_t = -1, allow_negative_numbers = true)]
    proxy_gid: i64,
    /// Inbound ports to redirect instead of all
    #[arg(short = 'r', long, value_name = "PORTS", value_delimiter = ',', allow_negative_numbers = true)]
    ports_to_redirect: Vec<i64>,
    /// Inbound ports and ranges (`80,8000-8010`) that are not redirected
    #[arg(long, value_name = "PORTS", allow_hyphen_values = true)]
    inbound_ports_to_ignore: Vec<String>,
    /// Outbound ports and ranges that are not redirected
    #[arg(long, value_name = "PORTS", allow_hyphen_values = true)]
    outbound_ports_to_ignore: Vec<String>,
    /// Networks (`10.0.0.0/8,fd00::/8`) whose inbound connections are not redirected
    #[arg(long, value_name = "CIDRS")]
    subnets_to_ignore: Vec<String>,
    /// Log what would be run, and run nothing
    #[arg(long, value_parser = boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "false", action = ArgAction::Set)]
    simulate: bool,
    /// Network namespace to change, by path, instead of the program's own
    #[arg(long, value_name = "PATH", default_value = "")]
    netns: String,
    /// Wait for the lock of iptables without limit, instead of 30 seconds
    #[arg(short = 'w', long, value_parser = boolean, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    use_wait_flag: bool,
    /// Seconds for which the kernel remembers half-closed connections; 0 leaves it as it is
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    timeout_close_wait_secs: i64,
    /// Form of log lines: plain or json
    #[arg(long, value_name = "FORMAT", default_value = "plain")]
    log_format: String,
    /// Lowest level that is logged: panic, fatal, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
    /// Flavour of iptables: legacy, nft or plain
    #[arg(long, value_name = "MODE", default_value = "")]
    iptables_mode: String,
    /// Redirect IPv6 too
    #[arg(long, value_parser = boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value = "true", action = ArgAction::Set)]
    ipv6: bool,
    /// Older way to choose the flavour: iptables-legacy, iptables-nft or iptables
    #[arg(long, value_name = "NAME", default_value = "")]
    firewall_bin_path: String,
    /// Ignored
    #[arg(long, value_name = "NAME", default_value = "", hide = true)]
    firewall_save_bin_path: String,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

/// Why the arguments make no command.
pub enum Stop {
    /// Help was asked for; the text is for standard output.
    Help(String),
    /// What is wrong.
    Invalid(String),
}

impl Args {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// When help is asked for, or a flag is unknown or its value of the wrong kind.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Stop> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => Stop::Help(error.to_string()),
            _ => Stop::Invalid(explain(&error)),
        })
    }

    /// What to redirect, unchecked.
    pub fn options(&self) -> Options {
        Options {
            incoming_proxy_port: self.incoming_proxy_port,
            outgoing_proxy_port: self.outgoing_proxy_port,
            proxy_uid: self.proxy_uid,
            proxy_gid: self.proxy_gid,
            ports_to_redirect: self.ports_to_redirect.clone(),
            inbound_ports_to_ignore: self.inbound_ports_to_ignore.clone(),
            outbound_ports_to_ignore: self.outbound_ports_to_ignore.clone(),
            subnets_to_ignore: self.subnets_to_ignore.clone(),
            iptables_mode: self.iptables_mode.clone(),
            firewall_bin_path: self.firewall_bin_path.clone(),
            ipv6: self.ipv6,
        }
    }

    /// How and where to do it.
    pub fn execution(&self) -> Execution {
        Execution {
            simulate: self.simulate,
            netns: Some(self.netns.clone()).filter(|path| !path.is_empty()),
            wait_without_limit: self.use_wait_flag,
            close_wait_seconds: Some(self.timeout_close_wait_secs).filter(|seconds| *seconds != 0),
        }
    }

    /// The least severe level to log, as text, and the form of log lines.
    pub fn logging(&self) -> (&str, log::Format) {
        (&self.log_level, log::Format::from(self.log_format.as_str()))
    }
}

/// One line on how to call the program.
pub fn usage() -> String {
    "Usage:\n  linkerd2-proxy-init [flags]\n\nUse \"linkerd2-proxy-init --help\" for the flags.".to_owned()
}

/// One line on what is wrong, naming the flag in all its forms.
fn explain(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let flag = context(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unknown flag: {flag}"),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let value = context(ContextKind::InvalidValue);
            let reason = std::error::Error::source(error).map_or("a value is missing".to_owned(), ToString::to_string);
            format!("invalid argument {value:?} for {:?} flag: {reason}", both_forms(flag))
        }
        _ => error.render().to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

/// `--proxy-uid <UID>` as `-u, --proxy-uid`.
fn both_forms(flag: &str) -> String {
    let flag = flag.split([' ', '[', '=']).next().unwrap_or_default();
    let command = Args::command();
    let argument = command.get_arguments().find(|known| known.get_long() == flag.strip_prefix("--"));
    match argument.and_then(clap::Arg::get_short) {
        Some(short) => format!("-{short}, {flag}"),
        None => flag.to_owned(),
    }
}

/// What other programs of Linkerd take for a boolean.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("use true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words = ["linkerd2-proxy-init"].into_iter().chain(line.split(' ').filter(|word| !word.is_empty()));
        Args::read(words.map(OsString::from)).map_err(|stop| match stop {
            Stop::Help(text) | Stop::Invalid(text) => text,
        })
    }

    #[test]
    fn flags_as_the_injector_writes_them() {
        let args = read(
            "--firewall-bin-path iptables-nft --firewall-save-bin-path iptables-nft-save --ipv6=false \
             --incoming-proxy-port 4143 --outgoing-proxy-port 4140 --proxy-uid 2102 \
             --inbound-ports-to-ignore 4190,4191,4567,4568 --outbound-ports-to-ignore 4567,4568",
        )
        .unwrap();
        let options = args.options();
        assert_eq!((options.incoming_proxy_port, options.outgoing_proxy_port), (4143, 4140));
        assert_eq!((options.proxy_uid, options.proxy_gid, options.ipv6), (2102, -1, false));
        assert_eq!(options.inbound_ports_to_ignore, ["4190,4191,4567,4568"]);
        assert_eq!(options.firewall_bin_path, "iptables-nft");
        assert!(!args.execution().simulate);
    }

    #[test]
    fn short_flags_negative_numbers_and_positional_arguments_are_taken() {
        let args = read("-p 1 -p4143 -o=4140 -u -1 -g 7 -r 80,8080 -r 9090 -w --simulate extra --ipv6").unwrap();
        let options = args.options();
        assert_eq!((options.incoming_proxy_port, options.outgoing_proxy_port), (4143, 4140));
        assert_eq!((options.proxy_uid, options.proxy_gid, options.ipv6), (-1, 7, true));
        assert_eq!(options.ports_to_redirect, [80, 8080, 9090]);
        assert!(args.execution().simulate && args.execution().wait_without_limit);
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_its_flag() {
        assert_eq!(
            read("-p abc").unwrap_err(),
            r#"invalid argument "abc" for "-p, --incoming-proxy-port" flag: invalid digit found in string"#
        );
        assert_eq!(
            read("--ipv6=maybe").unwrap_err(),
            r#"invalid argument "maybe" for "--ipv6" flag: use true or false"#
        );
        assert_eq!(read("--version").unwrap_err(), "unknown flag: --version");
        assert!(read("-p").unwrap_err().contains("--incoming-proxy-port"));
    }
}
