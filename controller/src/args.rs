//! Command-line arguments that the processes share, and the forms that their values take.

use clap::{Args, Parser};
use std::{
    ffi::OsString,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// Arguments of every process.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Lowest level that is logged: panic, fatal, error, warn, info, debug or trace, or a filter such as
    /// `linkerd=debug,warn`
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
    /// Form of log lines: plain or json
    #[arg(long, default_value = "plain", value_name = "FORMAT")]
    pub log_format: crate::logging::Format,
    /// Kubeconfig file; empty for the cluster that the process runs in
    #[arg(long, value_name = "FILE", value_parser = optional_path, default_value = "")]
    pub kubeconfig: OptionalPath,
    /// Read objects from this file or folder of manifests instead of a cluster
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub manifests: Option<PathBuf>,
}

/// Which part of a kubeconfig is used, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Overrides {
    /// Cluster of the kubeconfig; the one of the context unless given
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub cluster: Option<String>,
    /// Context of the kubeconfig; the current one unless given
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub context: Option<String>,
    /// User of the kubeconfig; the one of the context unless given
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub user: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER", hide_short_help = true)]
    pub impersonate: Option<String>,
    /// Group to impersonate; may be given again for more
    #[arg(long = "as-group", value_name = "GROUP", hide_short_help = true, requires = "impersonate")]
    pub impersonate_groups: Vec<String>,
}

/// A path of which the empty text means none.
pub type OptionalPath = Maybe<PathBuf>;

/// A value that may be absent; unlike `Option`, clap does not treat it specially.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

/// Reads a path of which the empty text means none.
///
/// # Errors
/// Never.
pub fn optional_path(text: &str) -> Result<OptionalPath, std::convert::Infallible> {
    Ok(Maybe((!text.is_empty()).then(|| PathBuf::from(text))))
}

/// The arguments of one process.
pub trait ProcessArgs: Parser {
    /// What all processes share.
    fn common(&self) -> &Common;
    /// Where the admin server listens.
    fn admin_addr(&self) -> ListenAddr;
}

/// Parses arguments that may be written with one dash or two, as existing manifests do.
///
/// A first argument that is no flag names the component and is skipped when it is `component`.
///
/// # Errors
/// What clap says, for an unknown flag or a bad value.
pub fn parse<A: Parser>(arguments: impl IntoIterator<Item = OsString>, component: &str) -> Result<A, clap::Error> {
    let mut arguments = arguments.into_iter();
    let mut normalized: Vec<OsString> = arguments.next().into_iter().collect();
    for (i, argument) in arguments.enumerate() {
        if i == 0 && argument == component {
            continue;
        }
        normalized.push(two_dashes(argument));
    }
    A::try_parse_from(normalized)
}

fn two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if is_long_with_one_dash(text) => OsString::from(format!("-{text}")),
        _ => argument,
    }
}

fn is_long_with_one_dash(text: &str) -> bool {
    let name = text.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// A boolean flag that takes an optional value: `-flag`, `-flag=true`, `-flag=false`.
///
/// Use with `num_args = 0..=1, default_missing_value = "true", require_equals = true`.
///
/// # Errors
/// For a text that Go's `strconv.ParseBool` does not take.
pub fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("use true or false".to_owned()),
    }
}

/// Address to listen on: `IP:PORT`, or `:PORT` for every address of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddr {
    /// Address, or `None` for every address of either family.
    pub ip: Option<IpAddr>,
    /// Port; 0 lets the system choose.
    pub port: u16,
}

impl ListenAddr {
    /// A port of the loopback address.
    pub const fn loopback(port: u16) -> Self {
        Self { ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), port }
    }

    /// The socket addresses to try, the preferred one first.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        match self.ip {
            Some(ip) => vec![SocketAddr::new(ip, self.port)],
            None => vec![
                SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.port),
                SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port),
            ],
        }
    }

    /// Whether only this machine can connect.
    pub fn is_loopback(&self) -> bool {
        self.ip.is_some_and(|ip| ip.is_loopback())
    }
}

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is no address to listen on; use IP:PORT or :PORT");
        if let Some(port) = text.strip_prefix(':') {
            return Ok(Self { ip: None, port: port.parse().map_err(|_| invalid())? });
        }
        let address: SocketAddr = text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| invalid())?;
        Ok(Self { ip: Some(address.ip()), port: address.port() })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Example {
        #[arg(long, default_value = ":8086")]
        addr: ListenAddr,
        #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
              default_value = "true")]
        enable_h2_upgrade: bool,
    }

    fn parsed(arguments: &[&str]) -> Result<Example, clap::Error> {
        parse(arguments.iter().map(OsString::from), "destination")
    }

    #[test]
    fn flags_take_one_dash_or_two_and_the_component_may_stand_first() {
        let args = parsed(&["bin", "destination", "-addr=:1", "-enable-h2-upgrade=false"]).unwrap();
        assert_eq!(args.addr, ListenAddr { ip: None, port: 1 });
        assert!(!args.enable_h2_upgrade);
        let args = parsed(&["bin", "--addr", "127.0.0.1:2", "-enable-h2-upgrade"]).unwrap();
        assert_eq!(args.addr, ListenAddr::loopback(2));
        assert!(args.enable_h2_upgrade);
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(parsed(&["bin", "-nonsense"]).is_err());
        assert!(parsed(&["bin", "other-component"]).is_err());
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!("[::]:8090".parse::<ListenAddr>().unwrap().to_string(), "[::]:8090");
        assert_eq!(":8090".parse::<ListenAddr>().unwrap().candidates().len(), 2);
        assert!("localhost:1".parse::<ListenAddr>().unwrap().is_loopback());
        assert!("8090".parse::<ListenAddr>().is_err());
    }
}
