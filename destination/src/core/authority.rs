//! Authorities: what a proxy asks for, as `host[:port]`.

use std::net::IpAddr;

/// Longest authority that is read: a DNS name of 253 bytes with its final dot, brackets and port.
const MAX_LENGTH: usize = 264;

/// Port of an authority that names none.
const DEFAULT_PORT: u16 = 80;

/// A parsed authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Host as sent, without brackets.
    pub host: String,
    /// What the host names.
    pub target: Target,
    /// Port; 80 when none was sent.
    pub port: u16,
}

/// What a host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address; an IPv4 address mapped into IPv6 is the IPv4 address.
    Ip(IpAddr),
    /// A Service, or one endpoint of it.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
        /// Hostname of one endpoint.
        hostname: Option<String>,
    },
}

/// Why a text is no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Host and port cannot be told apart, or the port is none.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The host is no name of a Service in the cluster.
    #[error(transparent)]
    Service(#[from] NotAService),
}

/// A host that names nothing in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotAService {
    /// The host.
    pub host: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why host and port cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Longer than any name.
    #[error("longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// A host without port.
    #[error("missing port in address")]
    MissingPort,
    /// More than one colon outside of brackets.
    #[error("too many colons in address")]
    TooManyColons,
    /// An opening bracket without a closing one.
    #[error("missing ']' in address")]
    MissingBracket,
    /// A bracket in the wrong place.
    #[error("unexpected '[' or ']' in address")]
    UnexpectedBracket,
    /// A port that is no number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    InvalidPort,
}

impl Authority {
    /// Reads an authority in a cluster whose DNS domain is `cluster_domain`.
    ///
    /// # Errors
    /// When host and port cannot be read, or the host names nothing under the domain.
    pub fn parse(text: &str, cluster_domain: &str) -> Result<Self, AuthorityError> {
        if text.len() > MAX_LENGTH {
            return Err(SplitError::TooLong.into());
        }
        let (host, port) = match text.contains(':') {
            false => (text, DEFAULT_PORT),
            true => split_host_port(text).and_then(|(host, port)| Ok((host, parse_port(port)?)))?,
        };
        let target = match host.parse::<IpAddr>() {
            Ok(ip) => Target::Ip(ip.to_canonical()),
            Err(_) => parse_service(host, cluster_domain)?,
        };
        Ok(Self { host: host.to_owned(), target, port })
    }
}

/// Reads `<service>.<namespace>.svc.<domain>`, with a hostname in front or without.
fn parse_service(host: &str, cluster_domain: &str) -> Result<Target, NotAService> {
    let error = |reason: String| NotAService { host: host.to_owned(), reason };
    let suffix = format!(".svc.{cluster_domain}");
    let Some(name) = host.strip_suffix(&suffix) else {
        return Err(error(format!("not a name under svc.{cluster_domain}")));
    };
    let labels: Vec<&str> = name.split('.').collect();
    let (hostname, name, namespace) = match labels[..] {
        [name, namespace] => (None, name, namespace),
        [hostname, name, namespace] => (Some(hostname.to_owned()), name, namespace),
        _ => return Err(error(format!("not of the form [HOSTNAME.]SERVICE.NAMESPACE{suffix}"))),
    };
    Ok(Target::Service { namespace: namespace.to_owned(), name: name.to_owned(), hostname })
}

/// Splits `host:port` or `[host]:port`; the port may be any text.
///
/// # Errors
/// What is wrong, in the words of Go's `net.SplitHostPort`.
pub fn split_host_port(text: &str) -> Result<(&str, &str), SplitError> {
    let Some((before, port)) = text.rsplit_once(':') else { return Err(SplitError::MissingPort) };
    let host = match text.strip_prefix('[') {
        Some(bracketed) => {
            let Some((host, rest)) = bracketed.split_once(']') else { return Err(SplitError::MissingBracket) };
            match rest.strip_prefix(':') {
                Some(rest) if rest.len() == port.len() => host,
                Some(_) => return Err(SplitError::TooManyColons),
                None => return Err(SplitError::MissingPort),
            }
        }
        None if before.contains(':') => return Err(SplitError::TooManyColons),
        None => before,
    };
    if host.contains(['[', ']']) || port.contains(['[', ']']) {
        return Err(SplitError::UnexpectedBracket);
    }
    Ok((host, port))
}

/// A leading plus and leading zeros are accepted.
fn parse_port(text: &str) -> Result<u16, SplitError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = if is_number { digits.parse::<u16>().ok() } else { None };
    port.filter(|port| *port > 0).ok_or(SplitError::InvalidPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "mycluster.local";

    fn parsed(text: &str) -> Authority {
        Authority::parse(text, DOMAIN).unwrap()
    }

    fn service(namespace: &str, name: &str, hostname: Option<&str>) -> Target {
        let hostname = hostname.map(str::to_owned);
        Target::Service { namespace: namespace.to_owned(), name: name.to_owned(), hostname }
    }

    // Cases 1 and 2.
    #[test]
    fn names_outside_of_the_cluster_domain_are_refused() {
        for bad in [
            "linkerd.io",
            "name1.ns.svc.cluster.local:80",
            "name1.ns.svc.mycluster.local.",
            "name1.ns.svc.MYCLUSTER.local",
            "name1.svc.mycluster.local",
            "a.b.c.d.svc.mycluster.local",
            "10-0-0-1.ns.pod.mycluster.local",
            "svc.mycluster.local",
            "[name1.ns.svc.mycluster.local]",
            "",
        ] {
            let error = Authority::parse(bad, DOMAIN).unwrap_err();
            assert!(matches!(error, AuthorityError::Service(_)), "{bad}: {error}");
        }
    }

    // Case 3.
    #[test]
    fn a_port_is_a_number_after_the_last_colon() {
        let split = |text: &str| match Authority::parse(text, DOMAIN) {
            Err(AuthorityError::Split(error)) => error,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(split("::1:80"), SplitError::TooManyColons);
        assert_eq!(split("[::1"), SplitError::MissingBracket);
        assert_eq!(split("[::1]"), SplitError::MissingPort);
        assert_eq!(split("[::1]:1:2"), SplitError::TooManyColons);
        assert_eq!(split("a]:80"), SplitError::UnexpectedBracket);
        for port in ["http", "0", "65536", "-1", "", "+", "8_0", "1a"] {
            assert_eq!(split(&format!("svc.ns.svc.mycluster.local:{port}")), SplitError::InvalidPort, "{port}");
        }
        assert_eq!(parsed("svc.ns.svc.mycluster.local:+0080").port, 80);
        assert_eq!(split(&"a".repeat(265)), SplitError::TooLong);
    }

    // Case 6.
    #[test]
    fn without_a_port_it_is_80() {
        assert_eq!(parsed("name1.ns.svc.mycluster.local").port, 80);
    }

    #[test]
    fn services_and_their_endpoints_have_names() {
        assert_eq!(parsed("web.ns.svc.mycluster.local:1").target, service("ns", "web", None));
        assert_eq!(parsed("web-0.web.ns.svc.mycluster.local:1").target, service("ns", "web", Some("web-0")));
        assert_eq!(parsed("[web.ns.svc.mycluster.local]:80").target, service("ns", "web", None));
        assert_eq!(parsed(".ns.svc.mycluster.local").target, service("ns", "", None));
    }

    #[test]
    fn addresses_are_canonical_but_the_host_is_as_sent() {
        assert_eq!(parsed("10.0.0.1:80").target, Target::Ip([10, 0, 0, 1].into()));
        let mapped = parsed("[::ffff:10.0.0.1]:80");
        assert_eq!(mapped.target, Target::Ip([10, 0, 0, 1].into()));
        assert_eq!(mapped.host, "::ffff:10.0.0.1");
        assert!(Authority::parse("[fe80::1%eth0]:80", DOMAIN).is_err());
    }
}
