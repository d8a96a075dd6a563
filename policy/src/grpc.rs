//! Snapshots in, protobuf out: the only place that knows the wire.

mod encode;
mod inbound;
mod outbound;
mod request;
mod stream;
#[cfg(test)]
mod validate;

use crate::Policy;
use linkerd_controller::grpc::Methods;

/// Adds the methods of both services.
pub(crate) fn methods(policy: &Policy, methods: Methods) -> Methods {
    outbound::methods(&policy.outbound, inbound::methods(&policy.inbound, methods))
}

/// Encodes a policy and decodes it as a proxy does, which must not refuse it.
#[cfg(test)]
pub(crate) fn validated_inbound(policy: &crate::core::inbound::InboundServer) -> linkerd_proto::inbound::Server {
    validate::inbound(&inbound::encode(policy))
}

/// Encodes a policy and decodes it as a proxy does, which must not refuse it.
#[cfg(test)]
pub(crate) fn validated_outbound(
    policy: &crate::core::outbound::OutboundPolicy,
) -> linkerd_proto::outbound::OutboundPolicy {
    validate::outbound(&outbound::encode(policy))
}

#[cfg(test)]
mod tests;
