//! From the port of a Service to the ports of its endpoints.

use std::sync::Arc;

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Name, empty when it has none.
    pub name: Arc<str>,
    /// Number.
    pub number: u16,
    /// Whether it is a TCP port.
    pub is_tcp: bool,
}

/// A port that the endpoints of a slice serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicePort {
    /// Name of the Service's port, empty when it has none.
    pub name: Arc<str>,
    /// Number; a port without one is not served.
    pub number: Option<u16>,
}

/// Which port of the endpoints a request for a Service's port goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// The slice's port of this name.
    Named(Arc<str>),
    /// This number, whatever the slice says.
    Number(u16),
}

impl TargetPort {
    /// The target of a requested port. Of several ports with this number, TCP goes first.
    ///
    /// A slice already holds the numbers that `targetPort` stands for, under the names of the Service's
    /// ports, so that only the name matters.
    pub fn of(requested: u16, ports: &[ServicePort]) -> Self {
        let with_number = || ports.iter().filter(|port| port.number == requested);
        let port = with_number().find(|port| port.is_tcp).or_else(|| with_number().next());
        port.map_or(Self::Number(requested), |port| Self::Named(port.name.clone()))
    }

    /// The number that this is in a slice; a slice without ports serves none.
    pub fn resolve(&self, ports: &[SlicePort]) -> Option<u16> {
        match self {
            Self::Number(number) => (!ports.is_empty()).then_some(*number),
            Self::Named(name) => ports.iter().find(|port| port.name == *name && port.number.is_some())?.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, number: u16, is_tcp: bool) -> ServicePort {
        ServicePort { name: name.into(), number, is_tcp }
    }

    fn slice(name: &str, number: impl Into<Option<u16>>) -> SlicePort {
        SlicePort { name: name.into(), number: number.into() }
    }

    // Cases 11, 12 and 13.
    #[test]
    fn a_port_resolves_by_the_name_it_has_in_the_service() {
        let unnamed = TargetPort::of(8989, &[service("", 8989, true)]);
        assert_eq!(unnamed.resolve(&[slice("", 8990)]), Some(8990));
        let named = TargetPort::of(7778, &[service("app", 7778, true)]);
        assert_eq!(named.resolve(&[slice("admin", 1), slice("app", 7779)]), Some(7779));
        assert_eq!(named.resolve(&[slice("admin", 1)]), None);
        let absent = TargetPort::of(6000, &[service("app", 7778, true)]);
        assert_eq!(absent.resolve(&[slice("app", 7779)]), Some(6000));
        assert_eq!(absent.resolve(&[]), None);
    }

    #[test]
    fn tcp_wins_where_a_number_has_two_names() {
        let ports = [service("dns", 53, false), service("dns-tcp", 53, true)];
        assert_eq!(TargetPort::of(53, &ports), TargetPort::Named("dns-tcp".into()));
    }

    #[test]
    fn a_slice_port_without_number_is_not_served() {
        let named = TargetPort::Named("app".into());
        assert_eq!(named.resolve(&[slice("app", None)]), None);
        assert_eq!(named.resolve(&[slice("app", None), slice("app", 80)]), Some(80));
    }
}
