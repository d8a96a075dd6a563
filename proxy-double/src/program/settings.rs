//! What the program is told beside what a double is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::forward::Keepalive;
use crate::config::Config;
use crate::environment::{Environment, Invalid, boolean, duration, ips};

/// How long connections may end by themselves, unless a variable says otherwise.
const GRACE: Duration = Duration::from_secs(120);

/// The configuration of the program.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who it is, and where its control plane is.
    pub config: Config,
    /// Address of the admin server.
    pub admin: SocketAddr,
    /// Where connections to the pod are redirected to.
    pub inbound: SocketAddr,
    /// Where connections of the pod are redirected to.
    pub outbound: Vec<SocketAddr>,
    /// Addresses of the pod; empty for any.
    pub inbound_ips: Vec<IpAddr>,
    /// Keepalive of connections from other pods.
    pub inbound_keepalive: Keepalive,
    /// Keepalive of connections to other pods.
    pub outbound_keepalive: Keepalive,
    /// Whether a request may stop it.
    pub shutdown_endpoint: bool,
    /// How long connections may end by themselves after it was told to stop.
    pub grace: Duration,
}

impl Settings {
    /// Reads variables, named without `LINKERD2_PROXY_`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let environment = Environment::new(&variable);
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let keepalive = |side: &str| Keepalive {
            idle: environment.parsed(&format!("{side}_KEEPALIVE"), None, some_duration),
            user_timeout: environment.parsed(&format!("{side}_USER_TIMEOUT"), None, some_duration),
        };
        let outbound = match environment.text("OUTBOUND_LISTEN_ADDRS") {
            Some(_) => environment.parsed("OUTBOUND_LISTEN_ADDRS", Vec::new(), outbound_addresses),
            None => vec![environment.parsed("OUTBOUND_LISTEN_ADDR", local(4140), address)],
        };
        // Bound with tap only, which a double does not serve; checked because the control plane reads it.
        environment.parsed("CONTROL_LISTEN_ADDR", local(4190), address);
        let settings = Self {
            config: Config::read(&environment),
            // A mistake in it is reported with the rest of the double's configuration.
            admin: environment.text("ADMIN_LISTEN_ADDR").and_then(|text| text.parse().ok()).unwrap_or(local(4191)),
            inbound: environment.parsed("INBOUND_LISTEN_ADDR", (Ipv4Addr::UNSPECIFIED, 4143).into(), address),
            outbound,
            inbound_ips: environment.parsed("INBOUND_IPS", Vec::new(), ips),
            inbound_keepalive: keepalive("INBOUND_ACCEPT"),
            outbound_keepalive: keepalive("OUTBOUND_CONNECT"),
            shutdown_endpoint: environment.parsed("SHUTDOWN_ENDPOINT_ENABLED", false, boolean),
            grace: environment.parsed("SHUTDOWN_GRACE_PERIOD", GRACE, duration),
        };
        environment.finish(settings)
    }
}

fn some_duration(text: &str) -> Result<Option<Duration>> {
    duration(text).map(Some)
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().with_context(|| format!("{text:?} is no IP:PORT"))
}

/// One address, or one for each family.
fn outbound_addresses(text: &str) -> Result<Vec<SocketAddr>> {
    let addresses = text.split(',').map(address).collect::<Result<Vec<_>>>()?;
    ensure!(addresses.len() <= 2, "there are {} addresses, 2 are allowed", addresses.len());
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::variables;

    fn read(set: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let mut variables = variables(folder.path());
        variables.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Settings::from_environment(|name| variables.get(name).cloned()).map_err(|Invalid(mistakes)| mistakes)
    }

    #[test]
    fn what_is_not_set_has_the_defaults_of_the_proxy() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.inbound, "0.0.0.0:4143".parse().unwrap());
        assert_eq!(settings.outbound, ["127.0.0.1:4140".parse().unwrap()]);
        assert_eq!((settings.grace, settings.shutdown_endpoint), (Duration::from_secs(120), false));
        assert_eq!(settings.inbound_keepalive, Keepalive { idle: None, user_timeout: None });
    }

    #[test]
    fn what_the_injector_writes_is_understood() {
        let settings = read(&[
            ("INBOUND_LISTEN_ADDR", "[::]:4143"),
            ("OUTBOUND_LISTEN_ADDR", "127.0.0.1:4140"),
            ("OUTBOUND_LISTEN_ADDRS", "127.0.0.1:4140,[::1]:4140"),
            ("CONTROL_LISTEN_ADDR", "[::]:4190"),
            ("INBOUND_IPS", "10.0.0.7,fd00::7"),
            ("INBOUND_CONNECT_TIMEOUT", "250ms"),
            ("INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
            ("OUTBOUND_CONNECT_USER_TIMEOUT", "30s"),
            ("SHUTDOWN_ENDPOINT_ENABLED", "true"),
        ])
        .unwrap();
        assert_eq!((settings.admin.port(), settings.outbound.len()), (4192, 2));
        assert_eq!(settings.inbound_ips, ["10.0.0.7".parse::<IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
        assert_eq!(settings.config.timing.connect_on_loopback, Duration::from_millis(250));
        assert_eq!(settings.inbound_keepalive.idle, Some(Duration::from_secs(10)));
        assert_eq!(settings.outbound_keepalive.user_timeout, Some(Duration::from_secs(30)));
    }

    #[test]
    fn mistakes_name_their_variable() {
        for (name, value) in [
            ("INBOUND_LISTEN_ADDR", "4143"),
            ("OUTBOUND_LISTEN_ADDRS", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"),
            ("CONTROL_LISTEN_ADDR", ""),
            ("ADMIN_LISTEN_ADDR", "localhost:4191"),
            ("INBOUND_IPS", ""),
            ("INBOUND_IPS", "10.0.0.1, 10.0.0.2"),
            ("SHUTDOWN_ENDPOINT_ENABLED", "yes"),
            ("SHUTDOWN_GRACE_PERIOD", "2"),
        ] {
            let mistakes = read(&[(name, value)]).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(mistakes[0].starts_with(&format!("LINKERD2_PROXY_{name}: ")), "{mistakes:?}");
        }
    }
}
