//! An endpoint as a proxy is told of it.

use std::{borrow::Cow, sync::Arc};

/// Everything about an endpoint but its address and what depends on the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Metric labels.
    pub labels: MetricLabels,
    /// Identity that the endpoint proves by TLS; absent for none.
    pub identity: Option<TlsIdentity>,
    /// How its proxy is talked to; absent when there is none.
    pub hint: Option<Hint>,
    /// Authority that replaces the request's own.
    pub authority: Option<Arc<str>>,
    /// Whether the configured HTTP/2 parameters apply.
    pub http2: bool,
}

/// Identity of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsIdentity {
    /// A workload of this mesh: the name is identity and server name in one.
    Workload(Arc<str>),
    /// A gateway: the proxy takes the identity as server name.
    Gateway(Arc<str>),
    /// A workload outside of the cluster.
    External {
        /// Identity as a URI.
        uri: Arc<str>,
        /// TLS server name.
        server_name: Arc<str>,
    },
}

/// How the proxy of an endpoint is talked to. Without protocol and transport it is as the client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// Protocol.
    pub protocol: Option<Protocol>,
    /// Port of the proxy that takes connections with a transport header.
    pub opaque_transport: Option<u16>,
}

/// Protocol between proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP is upgraded to HTTP/2.
    H2,
    /// Bytes are forwarded.
    Opaque,
}

/// Where an endpoint is, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Locality {
    /// In the client's zone.
    Local,
    /// In another zone.
    Remote,
    /// One of the zones is not known.
    Unknown,
}

impl Locality {
    /// Compares zones, of which the empty one is unknown.
    pub fn between(client: &str, endpoint: &str) -> Self {
        match (client.is_empty() || endpoint.is_empty(), client == endpoint) {
            (true, _) => Self::Unknown,
            (false, true) => Self::Local,
            (false, false) => Self::Remote,
        }
    }

    /// Value of the label `zone_locality`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Unknown => "unknown",
        }
    }
}

/// Metric labels, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricLabels(Box<[(Cow<'static, str>, Arc<str>)]>);

impl MetricLabels {
    /// Takes labels in any order; of those with one key the last one counts.
    pub fn new(labels: impl IntoIterator<Item = (Cow<'static, str>, Arc<str>)>) -> Self {
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.reverse();
        labels.sort_by(|one, other| one.0.cmp(&other.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(labels.into())
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ordered_and_the_last_of_a_key_counts() {
        let labels =
            MetricLabels::new([("pod".into(), "a".into()), ("b".into(), "c".into()), ("pod".into(), "d".into())]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("b", "c"), ("pod", "d")]);
    }

    // Case 29.
    #[test]
    fn locality_is_known_when_both_zones_are() {
        assert_eq!(Locality::between("a", "a"), Locality::Local);
        assert_eq!(Locality::between("a", "b"), Locality::Remote);
        assert_eq!(Locality::between("", "b"), Locality::Unknown);
        assert_eq!(Locality::between("a", ""), Locality::Unknown);
        assert_eq!(Locality::between("", ""), Locality::Unknown);
    }
}
