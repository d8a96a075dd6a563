//! A double configured as the real proxy is: by the variables that the injector gives to the container.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::config::{Config, Identity, Limits, Peer, Peers, Token};

impl Config {
    /// Reads the variables, `$(…)` expanded; names come without `LINKERD2_PROXY_`.
    ///
    /// # Errors
    /// A variable that the proxy needs and does not find, or cannot read: it would exit.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let required = |name: &str| variable(name).with_context(|| format!("LINKERD2_PROXY_{name} is not set"));
        let peer = |service: &str| -> Result<Peer> {
            let unnamed = Peer { address: required(&format!("{service}_SVC_ADDR"))?, server_name: None };
            if unnamed.is_loopback() {
                return Ok(unnamed);
            }
            Ok(Peer::tls(unnamed.address, required(&format!("{service}_SVC_NAME"))?))
        };
        let peers = Peers { identity: peer("IDENTITY")?, destination: peer("DESTINATION")?, policy: peer("POLICY")? };
        let identity = Identity {
            local_name: required("IDENTITY_LOCAL_NAME")?,
            token: Token::File(required("IDENTITY_TOKEN_FILE")?.into()),
            trust_anchors: anchors(&required("IDENTITY_TRUST_ANCHORS")?)?,
        };
        let limit = |name: &str| variable(&format!("CONTROL_STREAM_{name}")).map_or(Ok(None), |text| optional(&text));
        let mut config = Self::of_pod("", "", peers, identity);
        config.limits =
            Limits { initial: limit("INITIAL_TIMEOUT")?, idle: limit("IDLE_TIMEOUT")?, lifetime: limit("LIFETIME")? };
        config.workload = required("POLICY_WORKLOAD")?;
        config.context = variable("DESTINATION_CONTEXT").unwrap_or_default();
        config.inbound_ports = ports(&variable("INBOUND_PORTS").unwrap_or_default())?;
        if let Some(admin) = variable("ADMIN_LISTEN_ADDR") {
            config.admin_port = admin.parse::<std::net::SocketAddr>().context("ADMIN_LISTEN_ADDR")?.port();
        }
        Ok(config)
    }
}

fn anchors(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let anchors: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match anchors {
        Ok(anchors) if !anchors.is_empty() => Ok(anchors),
        _ => bail!("IDENTITY_TRUST_ANCHORS holds no certificate in PEM"),
    }
}

/// Ports and ranges of them; empty items are passed over.
fn ports(text: &str) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| anyhow!("INBOUND_PORTS: {item:?} is no port"));
        ports.extend(port(first)?..=port(last)?);
    }
    Ok(ports)
}

/// A duration, or none if the text is empty.
fn optional(text: &str) -> Result<Option<Duration>> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.trim();
    if text == "0" {
        return Ok(Some(Duration::ZERO));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => bail!("{text:?} is no duration of the proxy"),
    };
    let count: u64 = number.parse().with_context(|| format!("{text:?} is no duration of the proxy"))?;
    Ok(Some(Duration::from_millis(count * millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_and_ranges_with_spaces_and_empty_items() {
        assert_eq!(ports("8080, 90-92,,").unwrap(), [8080, 90, 91, 92]);
        assert_eq!(ports("").unwrap(), [0; 0]);
        assert!(ports("http").is_err());
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        assert_eq!(optional("5m").unwrap(), Some(Duration::from_secs(300)));
        assert_eq!(optional(" 100ms ").unwrap(), Some(Duration::from_millis(100)));
        assert_eq!(optional("").unwrap(), None);
        for bad in ["1m30s", "1.5s", "-1s", "5", "s"] {
            assert!(optional(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_that_is_not_on_loopback_needs_a_name() {
        let anchor = rcgen::generate_simple_self_signed(["root".to_owned()]).unwrap().cert.pem();
        let variables = |name: &str| {
            Some(match name {
                "IDENTITY_SVC_ADDR" => "identity.linkerd.svc.cluster.local.:8080".to_owned(),
                "DESTINATION_SVC_ADDR" | "POLICY_SVC_ADDR" => "localhost.:8086".to_owned(),
                "IDENTITY_SVC_NAME" => "identity.name".to_owned(),
                "IDENTITY_LOCAL_NAME" => "web.ns".to_owned(),
                "IDENTITY_TOKEN_FILE" => "token".to_owned(),
                "IDENTITY_TRUST_ANCHORS" => anchor.clone(),
                "POLICY_WORKLOAD" => "ns:web\n".to_owned(),
                "ADMIN_LISTEN_ADDR" => "[::]:4192".to_owned(),
                _ => return None,
            })
        };
        let config = Config::from_environment(variables).unwrap();
        assert_eq!(config.identity.server_name.as_deref(), Some("identity.name"));
        assert_eq!(config.destination.server_name, None);
        assert_eq!((config.workload.as_str(), config.admin_port), ("ns:web\n", 4192));
        assert_eq!(config.limits, Limits::NONE);
        let unnamed = |name: &str| variables(name).filter(|_| name != "IDENTITY_SVC_NAME");
        let error = Config::from_environment(unnamed).unwrap_err().to_string();
        assert_eq!(error, "LINKERD2_PROXY_IDENTITY_SVC_NAME is not set");
    }
}
