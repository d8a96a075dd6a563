//! A double configured as the real proxy is: by the variables that the injector gives to the container.

use std::cell::RefCell;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificate::KeyAndRequest;
use crate::config::{Config, Identity, Key, Limits, Peer, Peers, Token};

/// What the names of all variables begin with.
const PREFIX: &str = "LINKERD2_PROXY_";

/// Variables that cannot be used: every mistake, so that all can be mended at once. The proxy would exit.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<String>);

impl Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Invalid {}

/// Reads variables, and collects what is wrong with them.
pub struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    mistakes: RefCell<Vec<String>>,
}

impl<'a> Environment<'a> {
    /// Reads from `variable`, which takes names without `LINKERD2_PROXY_`.
    pub fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable, mistakes: RefCell::default() }
    }

    /// The value as it is.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    /// The value; a mistake and empty if there is none.
    pub fn required(&self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.mistake(format!("{PREFIX}{name} is not set"));
            String::new()
        })
    }

    /// The parsed value, or `default` if there is none. One that cannot be parsed is a mistake.
    pub fn parsed<T>(&self, name: &str, default: T, parse: impl FnOnce(&str) -> Result<T>) -> T {
        let Some(text) = self.text(name) else { return default };
        self.checked(name, parse(&text)).unwrap_or(default)
    }

    /// Reports an error about a variable.
    pub fn checked<T>(&self, name: &str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.mistake(format!("{PREFIX}{name}: {error:#}"))).ok()
    }

    fn mistake(&self, mistake: String) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// The result, if nothing was wrong.
    ///
    /// # Errors
    /// All mistakes.
    pub fn finish<T>(self, result: T) -> Result<T, Invalid> {
        let mistakes = self.mistakes.into_inner();
        if mistakes.is_empty() { Ok(result) } else { Err(Invalid(mistakes)) }
    }
}

impl Config {
    /// Reads the variables, `$(…)` expanded; names come without `LINKERD2_PROXY_`.
    ///
    /// # Errors
    /// Variables that the proxy needs and does not find, or cannot read: it would exit.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let environment = Environment::new(&variable);
        let config = Self::read(&environment);
        environment.finish(config)
    }

    /// Reads the variables; mistakes are those of the environment.
    pub(crate) fn read(environment: &Environment<'_>) -> Self {
        let peers = Peers {
            identity: peer(environment, "IDENTITY"),
            destination: peer(environment, "DESTINATION"),
            policy: peer(environment, "POLICY"),
        };
        let mut config = Self::of_pod("", "", peers, identity(environment));
        config.limits = limits(environment);
        config.workload = environment.required("POLICY_WORKLOAD");
        config.context = environment.text("DESTINATION_CONTEXT").unwrap_or_default();
        config.inbound_ports = environment.parsed("INBOUND_PORTS", Vec::new(), ports);
        config.profile_networks = environment.parsed("DESTINATION_PROFILE_NETWORKS", Vec::new(), networks);
        if let Some(admin) = environment.text("ADMIN_LISTEN_ADDR") {
            let address = admin.parse().with_context(|| format!("{admin:?} is no IP:PORT"));
            let address = environment.checked("ADMIN_LISTEN_ADDR", address);
            config.admin_port = address.map_or(config.admin_port, |address: std::net::SocketAddr| address.port());
        }
        let timing = &mut config.timing;
        for (name, time) in [
            ("OUTBOUND_CONNECT_TIMEOUT", &mut timing.connect),
            ("INBOUND_CONNECT_TIMEOUT", &mut timing.connect_on_loopback),
            ("OUTBOUND_DISCOVERY_IDLE_TIMEOUT", &mut timing.outbound_idle),
            ("INBOUND_DISCOVERY_IDLE_TIMEOUT", &mut timing.inbound_idle),
            ("IDENTITY_MIN_REFRESH", &mut timing.min_refresh),
            ("IDENTITY_MAX_REFRESH", &mut timing.max_refresh),
        ] {
            *time = environment.parsed(name, *time, duration);
        }
        config
    }
}

fn peer(environment: &Environment<'_>, service: &str) -> Peer {
    let variable = format!("{service}_SVC_ADDR");
    let peer = Peer { address: environment.required(&variable), server_name: None };
    let has_port = peer.address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !peer.address.is_empty() && !has_port {
        environment.mistake(format!("{PREFIX}{variable}: {:?} is no HOST:PORT", peer.address));
    }
    if peer.is_loopback() {
        return peer;
    }
    Peer::tls(peer.address, environment.required(&format!("{service}_SVC_NAME")))
}

fn identity(environment: &Environment<'_>) -> Identity {
    let token = environment.required("IDENTITY_TOKEN_FILE");
    if !token.is_empty() {
        environment.checked("IDENTITY_TOKEN_FILE", non_empty(Path::new(&token)));
    }
    let folder = environment.required("IDENTITY_DIR");
    if !folder.is_empty() {
        environment.checked("IDENTITY_DIR", KeyAndRequest::read(Path::new(&folder)));
    }
    let pem = environment.required("IDENTITY_TRUST_ANCHORS");
    let trust_anchors = match pem.is_empty() {
        true => None,
        false => environment.checked("IDENTITY_TRUST_ANCHORS", anchors(&pem)),
    };
    Identity {
        local_name: environment.required("IDENTITY_LOCAL_NAME"),
        token: Token::File(token.into()),
        key: Key::Folder(folder.into()),
        trust_anchors: trust_anchors.unwrap_or_default(),
    }
}

fn non_empty(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(!bytes.is_empty(), "{} is empty", file.display());
    Ok(())
}

fn limits(environment: &Environment<'_>) -> Limits {
    let limit = |name: &str| environment.parsed(&format!("CONTROL_STREAM_{name}"), None, optional);
    let limits = Limits { initial: limit("INITIAL_TIMEOUT"), idle: limit("IDLE_TIMEOUT"), lifetime: limit("LIFETIME") };
    let set: Vec<_> = [limits.initial, limits.idle, limits.lifetime].into_iter().flatten().collect();
    if !set.is_sorted() {
        environment.mistake(format!(
            "{PREFIX}CONTROL_STREAM_*: INITIAL_TIMEOUT, IDLE_TIMEOUT and LIFETIME must not get shorter in this order"
        ));
    }
    limits
}

fn anchors(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let anchors: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match anchors {
        Ok(anchors) if !anchors.is_empty() => Ok(anchors),
        _ => bail!("there is no certificate in PEM"),
    }
}

/// The items of a list; empty ones are passed over.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Ports and ranges of them.
fn ports(text: &str) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for item in items(text) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let port = |text: &str| text.trim().parse::<u16>().with_context(|| format!("{item:?} is no port"));
        ports.extend(port(first)?..=port(last)?);
    }
    Ok(ports)
}

fn networks(text: &str) -> Result<Vec<IpNet>> {
    items(text).map(|item| item.parse().with_context(|| format!("{item:?} is no network"))).collect()
}

/// Addresses; the list may not be empty, and has no spaces.
pub fn ips(text: &str) -> Result<Vec<IpAddr>> {
    text.split(',').map(|item| item.parse().with_context(|| format!("{item:?} is no IP address"))).collect()
}

/// A truth value.
pub fn boolean(text: &str) -> Result<bool> {
    text.parse().with_context(|| format!("{text:?} is neither true nor false"))
}

/// A duration, or none if the text is empty.
fn optional(text: &str) -> Result<Option<Duration>> {
    if text.is_empty() { Ok(None) } else { duration(text).map(Some) }
}

/// A number and its unit, or 0.
pub fn duration(text: &str) -> Result<Duration> {
    let invalid = || format!("{text:?} is no duration of the proxy: a whole number and one of ms, s, m, h, d");
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => bail!(invalid()),
    };
    let count: u64 = number.parse().with_context(invalid)?;
    Ok(Duration::from_millis(count.checked_mul(millis).with_context(invalid)?))
}

#[cfg(test)]
pub mod tests;
