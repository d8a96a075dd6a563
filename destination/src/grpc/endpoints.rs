//! Endpoints as messages.

use super::wire::{Update, Updated, WeightedAddr, WeightedAddrSet, Wire, tcp_address};
use crate::{
    core::{
        diff::Step,
        endpoint::{Endpoint, Hint, Locality, Protocol, TlsIdentity},
        filter::Entry,
    },
    index::snapshot::{Change, Encode, EndpointSet, Messages},
};
use bytes::Bytes;
use linkerd_controller::grpc::encode;
use linkerd_proto::destination::{self, AddrSet, AuthorityOverride, NoEndpoints, ProtocolHint};
use prost::Message;
use std::{collections::BTreeMap, net::SocketAddr};

/// Bytes of endpoints in one message. Proxies read messages of up to 4 MiB; a Service of some 15,000
/// endpoints is beyond that.
const MAX_MESSAGE: usize = 3 << 20;

/// Weight of an endpoint.
const WEIGHT: u32 = 10_000;

impl Encode for Wire {
    /// One `add` with everything, since proxies take the first one as all there is; more only where one
    /// would be too long.
    fn whole(&self, set: &EndpointSet) -> Messages {
        if set.entries.is_empty() {
            return Messages::from([no_endpoints(set.exists)]);
        }
        self.add(set, set.entries.iter()).into()
    }

    /// New endpoints go before those that are gone, so that a client is never without.
    fn change(&self, set: &EndpointSet, change: &Change) -> Messages {
        let Step { added, removed, .. } = &change.step;
        let mut messages = Vec::with_capacity(2);
        if change.existence == Some(true) && added.is_empty() {
            messages.push(no_endpoints(true));
        }
        if !added.is_empty() {
            messages.extend(self.add(set, added.iter().filter_map(|position| set.entries.get(*position))));
        }
        if !removed.is_empty() {
            messages.push(remove(removed));
        }
        if change.existence == Some(false) {
            messages.push(no_endpoints(false));
        }
        messages.into()
    }
}

impl Wire {
    fn add<'a>(&self, set: &EndpointSet, entries: impl Iterator<Item = &'a Entry>) -> Vec<Bytes> {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let metric_labels: BTreeMap<_, _> = set.labels.iter().map(owned).collect();
        let message = |addrs| update(Updated::Add(WeightedAddrSet { addrs, metric_labels: metric_labels.clone() }));
        let (mut messages, mut addrs, mut bytes) = (Vec::with_capacity(1), Vec::new(), 0);
        for addr in entries.map(|entry| self.entry(entry)) {
            let more = addr.encoded_len();
            if bytes + more > MAX_MESSAGE {
                messages.push(message(std::mem::take(&mut addrs)));
                bytes = 0;
            }
            bytes += more;
            addrs.push(addr);
        }
        messages.push(message(addrs));
        messages
    }

    fn entry(&self, entry: &Entry) -> WeightedAddr {
        let mut addr = self.weighted_addr(entry.address, &entry.endpoint);
        // An endpoint's own labels go before those of the set.
        for (key, value) in entry.labels.iter().flat_map(|labels| labels.iter()) {
            addr.metric_labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
        addr.metric_labels.insert("zone_locality".to_owned(), entry.locality.as_str().to_owned());
        if self.zone_weights && entry.locality == Locality::Local {
            addr.weight *= 10;
        }
        addr
    }

    /// An endpoint, seen from nowhere.
    pub(super) fn weighted_addr(&self, address: SocketAddr, endpoint: &Endpoint) -> WeightedAddr {
        WeightedAddr {
            addr: Some(tcp_address(address)),
            weight: WEIGHT,
            metric_labels: endpoint.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            tls_identity: endpoint.identity.as_ref().map(tls_identity),
            protocol_hint: endpoint.hint.map(protocol_hint),
            authority_override: endpoint
                .authority
                .as_ref()
                .map(|authority| AuthorityOverride { authority_override: authority.to_string() }),
            http2: self.http2.filter(|_| endpoint.http2),
        }
    }
}

fn update(update: Updated) -> Bytes {
    encode(&Update { update: Some(update) })
}

fn no_endpoints(exists: bool) -> Bytes {
    update(Updated::NoEndpoints(NoEndpoints { exists }))
}

fn remove(addresses: &[SocketAddr]) -> Bytes {
    update(Updated::Remove(AddrSet { addrs: addresses.iter().copied().map(tcp_address).collect() }))
}

fn tls_identity(identity: &TlsIdentity) -> destination::TlsIdentity {
    use destination::tls_identity::{DnsLikeIdentity, Strategy, UriLikeIdentity};
    let dns = |name: &str| DnsLikeIdentity { name: name.to_owned() };
    let (strategy, server_name) = match identity {
        TlsIdentity::Workload(name) => (Strategy::DnsLikeIdentity(dns(name)), Some(dns(name))),
        TlsIdentity::Gateway(name) => (Strategy::DnsLikeIdentity(dns(name)), None),
        TlsIdentity::External { uri, server_name } => {
            (Strategy::UriLikeIdentity(UriLikeIdentity { uri: uri.to_string() }), Some(dns(server_name)))
        }
    };
    destination::TlsIdentity { strategy: Some(strategy), server_name }
}

fn protocol_hint(hint: Hint) -> ProtocolHint {
    use destination::protocol_hint::{H2, Opaque, OpaqueTransport, Protocol as Wire};
    ProtocolHint {
        protocol: hint.protocol.map(|protocol| match protocol {
            Protocol::H2 => Wire::H2(H2 {}),
            Protocol::Opaque => Wire::Opaque(Opaque {}),
        }),
        opaque_transport: hint.opaque_transport.map(|port| OpaqueTransport { inbound_port: port.into() }),
    }
}
