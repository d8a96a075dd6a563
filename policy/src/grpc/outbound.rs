//! `io.linkerd.proxy.outbound.OutboundPolicies`: policies of the targets of a client.

mod encode;

use super::{
    request::{self, LookupError},
    stream,
};
use crate::{
    core::outbound::OutboundPolicy,
    index::outbound::{OutboundIndex, TargetKey},
};
use bytes::Bytes;
use linkerd_controller::{
    grpc::{self, Encoded, Methods},
    source::Shared,
};
use linkerd_proto::outbound::TrafficSpec;

const SERVICE: &str = "io.linkerd.proxy.outbound.OutboundPolicies";

pub(super) fn methods(index: &Shared<OutboundIndex>, methods: Methods) -> Methods {
    let (unary, streaming) = (index.clone(), index.clone());
    methods
        .unary(SERVICE, "Get", move |spec| {
            let index = unary.clone();
            async move { Ok(get(&index, spec)?) }
        })
        .streaming(SERVICE, "Watch", move |spec| {
            let index = streaming.clone();
            async move { Ok(watch(&index, spec).await?) }
        })
}

/// The encoded policy of a target.
pub(super) fn encode(policy: &OutboundPolicy) -> Bytes {
    grpc::encode(&encode::policy(policy))
}

fn key(index: &Shared<OutboundIndex>, spec: TrafficSpec) -> Result<TargetKey, LookupError> {
    let config = index.lock().config().clone();
    request::target(&spec.source_workload, spec.target, &config.cluster_domain)
}

fn get(index: &Shared<OutboundIndex>, spec: TrafficSpec) -> Result<Bytes, LookupError> {
    let key = key(index, spec)?;
    let index = index.lock();
    if !*index.synced().borrow() {
        return Err(LookupError::NotSynced);
    }
    let policy = index.policy(&key).ok_or(LookupError::NoSuchService)?;
    drop(index);
    Ok(encode(&policy))
}

async fn watch(index: &Shared<OutboundIndex>, spec: TrafficSpec) -> Result<Encoded, LookupError> {
    let key = key(index, spec)?;
    let synced = index.lock().synced();
    stream::synced(synced).await?;
    let mut watch = OutboundIndex::watch(index, &key).ok_or(LookupError::NoSuchService)?;
    // The policy of a target is known at once.
    let first = stream::first(&mut watch).await.ok_or(LookupError::NoSuchService)?;
    Ok(stream::encoded(first, watch, encode))
}
