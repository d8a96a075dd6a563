//! What a double is told, as the environment tells the real proxy.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;

/// Everything that a double is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Identity service.
    pub identity: Peer,
    /// Destination service.
    pub destination: Peer,
    /// Policy service.
    pub policy: Peer,
    /// Certificates that certificates must lead to.
    pub trust_anchors: Vec<CertificateDer<'static>>,
    /// The workload's identity, a DNS name.
    pub local_name: String,
    /// Proof of the identity, presented with each request for a certificate.
    pub token: Token,
    /// The key, and the certificate request for it.
    pub key: Key,
    /// What policies are asked for; sent as it is.
    pub workload: String,
    /// Who asks for destinations; sent as it is.
    pub context: String,
    /// Ports whose policy is watched from the start, beside the admin port.
    pub inbound_ports: Vec<u16>,
    /// Port of the admin server.
    pub admin_port: u16,
    /// Destinations in these networks are asked for their profile.
    pub profile_networks: Vec<IpNet>,
    /// Most outbound targets, and most inbound ports, that are watched because of connections; others are
    /// not asked for.
    pub max_watched: usize,
    /// Limits of streams, unless the peer is on loopback.
    pub limits: Limits,
    /// Puts the limits in force on loopback too.
    pub limits_on_loopback: bool,
    /// Times that the protocol fixes, shortened by tests.
    pub timing: Timing,
}

impl Config {
    /// A double of the pod `pod` in namespace `namespace`, as the injector sets it up.
    pub fn of_pod(namespace: &str, pod: &str, peers: Peers, identity: Identity) -> Self {
        Self {
            identity: peers.identity,
            destination: peers.destination,
            policy: peers.policy,
            trust_anchors: identity.trust_anchors,
            local_name: identity.local_name,
            token: identity.token,
            key: identity.key,
            workload: format!("{{\"ns\":\"{namespace}\", \"pod\":\"{pod}\"}}\n"),
            context: format!("{{\"ns\":\"{namespace}\", \"nodeName\":\"\", \"pod\":\"{pod}\"}}\n"),
            inbound_ports: Vec::new(),
            admin_port: 4191,
            profile_networks: cluster_networks(),
            max_watched: 1_000,
            limits: Limits::default(),
            limits_on_loopback: false,
            timing: Timing::default(),
        }
    }
}

/// The servers of a control plane.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Identity service.
    pub identity: Peer,
    /// Destination service.
    pub destination: Peer,
    /// Policy service.
    pub policy: Peer,
}

/// Who a double is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its DNS name.
    pub local_name: String,
    /// Proof of it.
    pub token: Token,
    /// Its key.
    pub key: Key,
    /// What certificates must lead to.
    pub trust_anchors: Vec<CertificateDer<'static>>,
}

/// A token, read anew for each request.
#[derive(Clone, Debug)]
pub enum Token {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What the file holds, as it is.
    File(PathBuf),
}

/// Where a key and its certificate request come from.
#[derive(Clone, Debug)]
pub enum Key {
    /// They are made at the start.
    Generated,
    /// From `key.p8` and `csr.der` in a folder, as the program before the proxy writes them.
    Folder(PathBuf),
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `host:port`.
    pub address: String,
    /// The name that its certificate must have; without one, the connection is not encrypted.
    pub server_name: Option<String>,
}

impl Peer {
    /// A server without TLS, as on loopback.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address: address.to_string(), server_name: None }
    }

    /// A server with TLS.
    pub fn tls(address: impl Into<String>, server_name: impl Into<String>) -> Self {
        Self { address: address.into(), server_name: Some(server_name.into()) }
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost.") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

/// Limits of a stream; `None` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the first message.
    pub initial: Option<Duration>,
    /// Between messages.
    pub idle: Option<Duration>,
    /// In total.
    pub lifetime: Option<Duration>,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { initial: None, idle: None, lifetime: None };

    /// The limits in force: a lone initial or idle limit acts as the other one too.
    pub fn in_force(self) -> Self {
        Self { initial: self.initial.or(self.idle), idle: self.idle.or(self.initial), lifetime: self.lifetime }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            initial: Some(Duration::from_secs(3)),
            idle: Some(Duration::from_secs(300)),
            lifetime: Some(Duration::from_secs(3600)),
        }
    }
}

/// Times that the protocol fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Shortest time between requests for a certificate.
    pub min_refresh: Duration,
    /// Longest time between requests for a certificate.
    pub max_refresh: Duration,
    /// First pause after a failure; it doubles with each further one.
    pub min_backoff: Duration,
    /// Longest pause after a failure.
    pub max_backoff: Duration,
    /// Longest pause after a failure of a peer on loopback.
    pub max_backoff_on_loopback: Duration,
    /// Pause between the end of a `Get` and the next one.
    pub get_pause: Duration,
    /// How long an unused outbound target is kept.
    pub outbound_idle: Duration,
    /// How long an unused inbound port is kept.
    pub inbound_idle: Duration,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest wait for a connection on loopback.
    pub connect_on_loopback: Duration,
    /// How long a request waits for a server that can be connected to.
    pub unreachable: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            min_refresh: Duration::from_secs(10),
            max_refresh: Duration::from_secs(24 * 3600),
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(60),
            max_backoff_on_loopback: Duration::from_secs(10),
            get_pause: Duration::from_millis(100),
            outbound_idle: Duration::from_secs(5),
            inbound_idle: Duration::from_secs(90),
            connect: Duration::from_secs(1),
            connect_on_loopback: Duration::from_millis(100),
            unreachable: Duration::from_secs(30),
        }
    }
}

/// The networks that the chart takes for those of a cluster.
fn cluster_networks() -> Vec<IpNet> {
    let networks = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];
    networks.iter().filter_map(|network| network.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_limit_acts_as_the_other_one_too() {
        let (three, none) = (Some(Duration::from_secs(3)), None);
        let lone = Limits { initial: three, idle: none, lifetime: none };
        assert_eq!(lone.in_force(), Limits { initial: three, idle: three, lifetime: none });
        assert_eq!(Limits::NONE.in_force(), Limits::NONE);
    }

    #[test]
    fn a_name_is_on_loopback_only_with_its_final_dot() {
        for (address, is_loopback) in [
            ("127.5.0.1:8086", true),
            ("[::1]:8086", true),
            ("localhost.:8086", true),
            ("localhost:8086", false),
            ("10.0.0.1:8086", false),
        ] {
            assert_eq!(Peer { address: address.to_owned(), server_name: None }.is_loopback(), is_loopback, "{address}");
        }
    }

    #[test]
    fn addresses_of_the_cluster_have_profiles() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (ip, expected) in
            [("10.1.2.3", true), ("100.64.0.1", true), ("100.128.0.1", false), ("8.8.8.8", false), ("fd00::1", true)]
        {
            assert_eq!(cluster_networks().iter().any(|network| network.contains(&address(ip))), expected, "{ip}");
        }
    }
}
