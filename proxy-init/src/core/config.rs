//! What to redirect, checked before anything is changed.

use super::{
    backend::{Family, Mode},
    ports::{self, InvalidPort, PortRange},
};
use ipnet::IpNet;
use std::fmt;

/// What a caller asks for, unchecked; `-1` stands for a number that was not given.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the proxy that takes the pod's inbound connections.
    pub incoming_proxy_port: i64,
    /// Port of the proxy that takes the pod's outbound connections.
    pub outgoing_proxy_port: i64,
    /// User whose connections are left alone; 0 or less for none.
    pub proxy_uid: i64,
    /// Group whose connections are left alone; 0 or less for none.
    pub proxy_gid: i64,
    /// Inbound ports to redirect; empty for all.
    pub ports_to_redirect: Vec<i64>,
    /// Comma lists of inbound ports and ranges to leave alone.
    pub inbound_ports_to_ignore: Vec<String>,
    /// Comma lists of outbound ports and ranges to leave alone.
    pub outbound_ports_to_ignore: Vec<String>,
    /// Comma lists of networks whose inbound connections are left alone.
    pub subnets_to_ignore: Vec<String>,
    /// `legacy`, `nft`, `plain`, or empty for what `firewall_bin_path` says.
    pub iptables_mode: String,
    /// The older selector: `iptables-legacy`, `iptables-nft`, `iptables` or empty.
    pub firewall_bin_path: String,
    /// Whether IPv6 is redirected too.
    pub ipv6: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            incoming_proxy_port: -1,
            outgoing_proxy_port: -1,
            proxy_uid: -1,
            proxy_gid: -1,
            ports_to_redirect: Vec::new(),
            inbound_ports_to_ignore: Vec::new(),
            outbound_ports_to_ignore: Vec::new(),
            subnets_to_ignore: Vec::new(),
            iptables_mode: String::new(),
            firewall_bin_path: String::new(),
            ipv6: true,
        }
    }
}

/// What to redirect.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port of the proxy for inbound connections.
    pub incoming_port: u16,
    /// Port of the proxy for outbound connections.
    pub outgoing_port: u16,
    /// User of the proxy.
    pub uid: Option<u32>,
    /// Group of the proxy.
    pub gid: Option<u32>,
    /// Inbound ports to redirect; empty for all.
    pub redirect: Vec<u16>,
    /// Inbound ports to leave alone.
    pub ignore_inbound: Vec<PortRange>,
    /// Outbound ports to leave alone.
    pub ignore_outbound: Vec<PortRange>,
    /// Networks whose inbound connections are left alone.
    pub ignore_subnets: Vec<Subnet>,
    /// Which iptables programs to run.
    pub mode: Mode,
    /// Whether IPv6 is redirected too.
    pub ipv6: bool,
}

/// A network, with the text that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    text: String,
    net: IpNet,
}

impl Subnet {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let text = text.trim().to_owned();
        match text.parse() {
            Ok(net) => Ok(Self { text, net }),
            Err(_) => Err(Mistake::Subnet(text)),
        }
    }

    /// The network without host bits.
    pub fn net(&self) -> IpNet {
        self.net.trunc()
    }

    /// The IP version that it belongs to.
    pub fn family(&self) -> Family {
        match self.net {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }
}

/// As it was given, host bits included.
impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One thing that is wrong with the options.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// `--iptables-mode`.
    #[error(r#"--iptables-mode valid values are only "legacy", "nft" and "plain""#)]
    Mode,
    /// `--firewall-bin-path`.
    #[error(r#"--firewall-bin-path valid values are only "iptables-legacy", "iptables-nft" and "iptables""#)]
    FirewallBinPath,
    /// A port of the proxy.
    #[error("{flag} must be a valid TCP port number: {value} is not from 1 to 65535")]
    ProxyPort {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: i64,
    },
    /// `--subnets-to-ignore`.
    #[error("{0} is not a valid CIDR address")]
    Subnet(String),
    /// `--ports-to-redirect`.
    #[error("--ports-to-redirect must be valid TCP port numbers: {0} is not from 1 to 65535")]
    RedirectedPort(i64),
    /// A user or group of the proxy.
    #[error("{flag} must be a valid id: {value} is not from 0 to 4294967294")]
    Id {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: i64,
    },
    /// A list of ports to ignore.
    #[error("{flag}: {source}")]
    IgnoredPort {
        /// The flag.
        flag: &'static str,
        /// The entry and what is wrong with it.
        source: InvalidPort,
    },
}

impl Config {
    /// Checks the options.
    ///
    /// # Errors
    /// Every mistake there is, in the order in which the options are documented.
    pub fn new(options: &Options) -> Result<Self, Vec<Mistake>> {
        let mut check = Check(Vec::new());
        let mode = check.take(mode(options)).unwrap_or(Mode::Legacy);
        let incoming_port = check.proxy_port("--incoming-proxy-port", options.incoming_proxy_port);
        let outgoing_port = check.proxy_port("--outgoing-proxy-port", options.outgoing_proxy_port);
        let subnets = options.subnets_to_ignore.iter().filter(|text| !text.is_empty());
        let config = Self {
            mode,
            incoming_port,
            outgoing_port,
            ignore_subnets: subnets
                .flat_map(|text| text.split(','))
                .filter_map(|text| check.take(Subnet::parse(text)))
                .collect(),
            redirect: options
                .ports_to_redirect
                .iter()
                .filter_map(|port| check.take(tcp_port(*port).ok_or(Mistake::RedirectedPort(*port))))
                .collect(),
            uid: check.id("--proxy-uid", options.proxy_uid),
            gid: check.id("--proxy-gid", options.proxy_gid),
            ignore_inbound: check.ports("--inbound-ports-to-ignore", &options.inbound_ports_to_ignore),
            ignore_outbound: check.ports("--outbound-ports-to-ignore", &options.outbound_ports_to_ignore),
            ipv6: options.ipv6,
        };
        if check.0.is_empty() { Ok(config) } else { Err(check.0) }
    }

    /// IP versions to redirect, in the order in which it is done.
    pub fn families(&self) -> &'static [Family] {
        if self.ipv6 { &[Family::V4, Family::V6] } else { &[Family::V4] }
    }
}

/// Collects mistakes, so that all are told at once.
struct Check(Vec<Mistake>);

impl Check {
    fn take<T>(&mut self, result: Result<T, Mistake>) -> Option<T> {
        result.map_err(|mistake| self.0.push(mistake)).ok()
    }

    fn proxy_port(&mut self, flag: &'static str, value: i64) -> u16 {
        self.take(tcp_port(value).ok_or(Mistake::ProxyPort { flag, value })).unwrap_or_default()
    }

    fn id(&mut self, flag: &'static str, value: i64) -> Option<u32> {
        if value <= 0 {
            return None;
        }
        // The highest number means "no change" to the kernel.
        let id = u32::try_from(value).ok().filter(|id| *id != u32::MAX);
        self.take(id.ok_or(Mistake::Id { flag, value }))
    }

    fn ports(&mut self, flag: &'static str, texts: &[String]) -> Vec<PortRange> {
        ports::parse_list(texts).unwrap_or_else(|invalid| {
            self.0.extend(invalid.into_iter().map(|source| Mistake::IgnoredPort { flag, source }));
            Vec::new()
        })
    }
}

fn tcp_port(value: i64) -> Option<u16> {
    u16::try_from(value).ok().filter(|port| *port != 0)
}

fn mode(options: &Options) -> Result<Mode, Mistake> {
    match (options.iptables_mode.as_str(), options.firewall_bin_path.as_str()) {
        ("legacy", _) | ("", "" | "iptables-legacy") => Ok(Mode::Legacy),
        ("nft", _) | ("", "iptables-nft") => Ok(Mode::Nft),
        ("plain", _) | ("", "iptables") => Ok(Mode::Plain),
        ("", _) => Err(Mistake::FirewallBinPath),
        _ => Err(Mistake::Mode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { incoming_proxy_port: 4143, outgoing_proxy_port: 4140, proxy_uid: 2102, ..Options::default() }
    }

    fn mistakes(options: &Options) -> Vec<String> {
        Config::new(options).map(|_| Vec::new()).unwrap_or_else(|all| all.iter().map(ToString::to_string).collect())
    }

    // cases 3 and 42
    #[test]
    fn the_older_selector_counts_only_without_a_mode() {
        let mode = |mode: &str, path: &str| {
            Config::new(&Options { iptables_mode: mode.into(), firewall_bin_path: path.into(), ..options() })
                .map(|config| config.mode)
        };
        assert_eq!(mode("", ""), Ok(Mode::Legacy));
        assert_eq!(mode("", "iptables-nft"), Ok(Mode::Nft));
        assert_eq!(mode("", "iptables"), Ok(Mode::Plain));
        assert_eq!(mode("", "foo"), Err(vec![Mistake::FirewallBinPath]));
        assert_eq!(mode("foo", ""), Err(vec![Mistake::Mode]));
        assert_eq!(mode("nft", "foo"), Ok(Mode::Nft));
    }

    // case 4; port 0 is refused too, since nothing could be reached through it
    #[test]
    fn ports_of_the_proxy_and_subnets_are_checked() {
        for port in [-1, 0, 65536, 100_000] {
            let bad = Options { incoming_proxy_port: port, ..options() };
            assert!(mistakes(&bad)[0].starts_with("--incoming-proxy-port must be a valid TCP port number"));
            let bad = Options { outgoing_proxy_port: port, ..options() };
            assert!(mistakes(&bad)[0].starts_with("--outgoing-proxy-port must be a valid TCP port number"));
        }
        let subnets = |text: &str| Options { subnets_to_ignore: vec![text.to_owned()], ..options() };
        assert_eq!(mistakes(&subnets("0.0.0.0")), ["0.0.0.0 is not a valid CIDR address"]);
        assert_eq!(mistakes(&subnets("10.0.0.0/8,,fd00::/8")), [" is not a valid CIDR address"]);
        assert_eq!(mistakes(&subnets("")), [""; 0]);
        let config = Config::new(&subnets(" 1.1.1.1/24 ")).unwrap();
        assert_eq!(config.ignore_subnets[0].to_string(), "1.1.1.1/24");
        assert_eq!(config.ignore_subnets[0].net().to_string(), "1.1.1.0/24");
    }

    // case 43, and the order of the checks
    #[test]
    fn every_mistake_is_told_at_once() {
        let bad = Options {
            iptables_mode: "foo".into(),
            proxy_uid: 1 << 32,
            ports_to_redirect: vec![8080, 70000, -1],
            inbound_ports_to_ignore: vec!["4190,27-25".into()],
            subnets_to_ignore: vec!["nowhere".into()],
            ..Options::default()
        };
        let told = mistakes(&bad).join("\n");
        insta::assert_snapshot!(told, @r#"
        --iptables-mode valid values are only "legacy", "nft" and "plain"
        --incoming-proxy-port must be a valid TCP port number: -1 is not from 1 to 65535
        --outgoing-proxy-port must be a valid TCP port number: -1 is not from 1 to 65535
        nowhere is not a valid CIDR address
        --ports-to-redirect must be valid TCP port numbers: 70000 is not from 1 to 65535
        --ports-to-redirect must be valid TCP port numbers: -1 is not from 1 to 65535
        --proxy-uid must be a valid id: 4294967296 is not from 0 to 4294967294
        --inbound-ports-to-ignore: invalid port configuration of "27-25": "27-25": upper-bound must be greater than or equal to lower-bound
        "#);
    }
}
