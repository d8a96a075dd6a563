//! `io.linkerd.proxy.inbound.InboundServerPolicies`: policies of the ports of a workload.

mod encode;
mod message;

use super::{
    request::{self, LookupError},
    stream,
};
use crate::{core::inbound::InboundServer, index::inbound::InboundIndex};
use bytes::Bytes;
use linkerd_controller::{
    grpc::{self, Encoded, Methods},
    source::Shared,
};
use linkerd_proto::inbound::PortSpec;

const SERVICE: &str = "io.linkerd.proxy.inbound.InboundServerPolicies";

pub(super) fn methods(index: &Shared<InboundIndex>, methods: Methods) -> Methods {
    let (unary, streaming) = (index.clone(), index.clone());
    methods
        .unary(SERVICE, "GetPort", move |spec| {
            let index = unary.clone();
            async move { Ok(get(&index, &spec)?) }
        })
        .streaming(SERVICE, "WatchPort", move |spec| {
            let index = streaming.clone();
            async move { Ok(watch(&index, &spec).await?) }
        })
}

/// The encoded policy of a port.
pub(super) fn encode(server: &InboundServer) -> Bytes {
    grpc::encode(&encode::server(server))
}

pub(super) fn get(index: &Shared<InboundIndex>, spec: &PortSpec) -> Result<Bytes, LookupError> {
    let (workload, port) = (request::workload(&spec.workload)?, request::inbound_port(spec.port)?);
    let index = index.lock();
    if !*index.synced().borrow() {
        return Err(LookupError::NotSynced);
    }
    let policy = index.policy(&workload, port).ok_or(LookupError::UnknownServer)?;
    drop(index);
    Ok(encode(&policy))
}

/// A proxy may ask before its pod is known here: the answer is held back for a while then.
pub(super) async fn watch(index: &Shared<InboundIndex>, spec: &PortSpec) -> Result<Encoded, LookupError> {
    let (workload, port) = (request::workload(&spec.workload)?, request::inbound_port(spec.port)?);
    let synced = index.lock().synced();
    stream::synced(synced).await?;
    let mut watch = InboundIndex::watch(index, &workload, port);
    let first = stream::first(&mut watch).await.ok_or(LookupError::UnknownServer)?;
    Ok(stream::encoded(first, watch, encode))
}
