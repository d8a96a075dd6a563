//! The endpoints of a load-balanced backend, by the proxy's rules.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use linkerd_proto::destination::{Update, WeightedAddr, update};
use linkerd_proto::net::TcpAddress;
use tonic::Code;

/// The endpoints of a backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoints {
    /// The endpoints by address; kept while no stream is there.
    pub set: BTreeMap<SocketAddr, WeightedAddr>,
    /// Messages that were received.
    pub messages: u64,
    /// The status that broke the backend: every request is answered with 500.
    pub broken: Option<Code>,
    replaces: bool,
}

impl Endpoints {
    /// A stream was opened: its first addition will replace what is known.
    pub fn opened(&mut self) {
        self.replaces = true;
    }

    /// Applies a message. Returns what a proxy could not use of it.
    pub fn apply(&mut self, update: &Update) -> Vec<String> {
        self.messages += 1;
        let mut problems = Vec::new();
        match &update.update {
            Some(update::Update::Add(add)) => {
                if std::mem::take(&mut self.replaces) {
                    self.set.clear();
                }
                for endpoint in &add.addrs {
                    match endpoint.addr.as_ref().and_then(socket_address) {
                        Some(address) => drop(self.set.insert(address, endpoint.clone())),
                        None => problems.push(format!("an endpoint without usable address: {:?}", endpoint.addr)),
                    }
                }
            }
            // Nothing can be removed before anything was added.
            Some(update::Update::Remove(_)) if self.replaces => {}
            Some(update::Update::Remove(remove)) => {
                for address in remove.addrs.iter().filter_map(socket_address) {
                    self.set.remove(&address);
                }
            }
            Some(update::Update::NoEndpoints(_)) => {
                self.replaces = false;
                self.set.clear();
            }
            None => problems.push("an update without content".to_owned()),
        }
        problems
    }

    /// The addresses, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.set.keys().copied().collect()
    }
}

/// An address of the protocol.
pub fn socket_address(address: &TcpAddress) -> Option<SocketAddr> {
    let ip = IpAddr::try_from(address.ip?).ok()?;
    Some(SocketAddr::new(ip, u16::try_from(address.port).ok().filter(|port| *port > 0)?))
}

#[cfg(test)]
mod tests {
    use linkerd_proto::destination::{AddrSet, NoEndpoints, WeightedAddrSet};

    use super::*;

    fn address(last: u8) -> TcpAddress {
        TcpAddress { ip: Some(IpAddr::from([10, 0, 0, last]).into()), port: 80 }
    }

    fn add(lasts: &[u8]) -> Update {
        let endpoint = |last: &u8| WeightedAddr { addr: Some(address(*last)), ..WeightedAddr::default() };
        let addrs = lasts.iter().map(endpoint).collect();
        Update { update: Some(update::Update::Add(WeightedAddrSet { addrs, ..WeightedAddrSet::default() })) }
    }

    fn remove(last: u8) -> Update {
        Update { update: Some(update::Update::Remove(AddrSet { addrs: vec![address(last)] })) }
    }

    fn no_endpoints(exists: bool) -> Update {
        Update { update: Some(update::Update::NoEndpoints(NoEndpoints { exists })) }
    }

    fn lasts(endpoints: &Endpoints) -> Vec<String> {
        endpoints.addresses().iter().map(|address| address.ip().to_string()).collect()
    }

    fn apply(endpoints: &mut Endpoints, updates: &[Update]) {
        for update in updates {
            assert_eq!(endpoints.apply(update), [""; 0]);
        }
    }

    #[test]
    fn the_first_addition_after_a_reconnect_replaces_and_later_ones_add() {
        let mut endpoints = Endpoints::default();
        endpoints.opened();
        apply(&mut endpoints, &[add(&[1]), add(&[2])]);
        assert_eq!(lasts(&endpoints), ["10.0.0.1", "10.0.0.2"]);
        endpoints.opened();
        assert_eq!(lasts(&endpoints), ["10.0.0.1", "10.0.0.2"], "kept until the first message");
        apply(&mut endpoints, &[add(&[3])]);
        assert_eq!(lasts(&endpoints), ["10.0.0.3"]);
    }

    #[test]
    fn a_removal_that_comes_first_is_ignored() {
        let mut endpoints = Endpoints::default();
        endpoints.opened();
        apply(&mut endpoints, &[add(&[1, 2])]);
        endpoints.opened();
        apply(&mut endpoints, &[remove(1)]);
        assert_eq!(lasts(&endpoints), ["10.0.0.1", "10.0.0.2"]);
        apply(&mut endpoints, &[add(&[2, 3]), remove(2)]);
        assert_eq!(lasts(&endpoints), ["10.0.0.3"]);
    }

    #[test]
    fn no_endpoints_clears_and_a_later_empty_addition_changes_nothing() {
        for exists in [true, false] {
            let mut endpoints = Endpoints::default();
            endpoints.opened();
            apply(&mut endpoints, &[add(&[1]), add(&[])]);
            assert_eq!(lasts(&endpoints), ["10.0.0.1"]);
            apply(&mut endpoints, &[no_endpoints(exists)]);
            assert_eq!(lasts(&endpoints), [""; 0]);
        }
    }

    #[test]
    fn what_cannot_be_used_is_reported() {
        let mut endpoints = Endpoints::default();
        let addrs = vec![WeightedAddr::default()];
        let bad = Update { update: Some(update::Update::Add(WeightedAddrSet { addrs, ..Default::default() })) };
        assert_eq!(endpoints.apply(&bad).len(), 1);
        assert_eq!(endpoints.apply(&Update { update: None }).len(), 1);
    }
}
