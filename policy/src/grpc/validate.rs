//! What makes a proxy refuse a whole policy, checked on encoded messages by every test of the wire.

mod inbound;
mod outbound;
mod route;

use linkerd_proto::meta::{Metadata, metadata};
use prost::Message;

/// Decodes an inbound policy as a proxy does, and refuses what it refuses.
pub(super) fn inbound(bytes: &[u8]) -> linkerd_proto::inbound::Server {
    let server = linkerd_proto::inbound::Server::decode(bytes).unwrap();
    let mut faults = Faults::default();
    inbound::server(&server, &mut faults);
    assert!(faults.0.is_empty(), "a proxy refuses this: {:?}\n{server:#?}", faults.0);
    server
}

/// Decodes an outbound policy as a proxy does, and refuses what it refuses.
pub(super) fn outbound(bytes: &[u8]) -> linkerd_proto::outbound::OutboundPolicy {
    let policy = linkerd_proto::outbound::OutboundPolicy::decode(bytes).unwrap();
    let mut faults = Faults::default();
    outbound::policy(&policy, &mut faults);
    assert!(faults.0.is_empty(), "a proxy refuses this: {:?}\n{policy:#?}", faults.0);
    policy
}

/// What a proxy would refuse.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.0.push(fault.to_owned());
        }
    }

    /// What has to be there.
    fn some<'a, T>(&mut self, value: &'a Option<T>, name: &str) -> Option<&'a T> {
        self.unless(value.is_some(), &format!("{name} is missing"));
        value.as_ref()
    }
}

/// Metadata with a name; of a resource, with all that names it.
fn named(value: &Option<Metadata>, needs_namespace: bool, faults: &mut Faults) {
    let Some(kind) = faults.some(value, "metadata").and_then(|metadata| faults.some(&metadata.kind, "metadata.kind"))
    else {
        return;
    };
    match kind {
        metadata::Kind::Default(name) => faults.unless(!name.is_empty(), "default metadata without name"),
        metadata::Kind::Resource(resource) => {
            faults.unless(!resource.group.is_empty(), "resource without group");
            faults.unless(!resource.kind.is_empty(), "resource without kind");
            faults.unless(!resource.name.is_empty(), "resource without name");
            faults.unless(!resource.namespace.is_empty() || !needs_namespace, "resource without namespace");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_proto::{inbound, outbound};

    #[test]
    fn an_empty_message_is_refused() {
        let mut faults = Faults::default();
        super::inbound::server(&inbound::Server::default(), &mut faults);
        assert_eq!(faults.0, ["labels have no name", "protocol is missing"]);
        let mut faults = Faults::default();
        super::outbound::policy(&outbound::OutboundPolicy::default(), &mut faults);
        assert_eq!(faults.0, ["metadata is missing", "protocol is missing"]);
    }
}
