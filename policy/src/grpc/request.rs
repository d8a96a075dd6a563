//! What proxies ask: who they are, and which port or target they mean.

use crate::{
    core::{
        outbound::ServicePort,
        workload::{WorkloadId, WorkloadKey, WorkloadKind},
    },
    index::outbound::{Target, TargetKey},
};
use linkerd_k8s::{ObjectId, identity::is_dns_label};
use linkerd_proto::{net, outbound::traffic_spec};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use tonic::Status;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookupError {
    #[error("Invalid workload: {0}")]
    Workload(String),
    #[error("Invalid port: {0}")]
    Port(u32),
    #[error("target is required")]
    NoTarget,
    #[error("invalid authority")]
    Authority,
    #[error("authority must have a host")]
    NoHost,
    #[error("traffic target must have an IP")]
    NoIp,
    #[error("port cannot be zero")]
    ZeroPort,
    #[error("port outside valid range")]
    PortRange,
    #[error("authority must be of the form <name>.<namespace>.svc.{0}")]
    NotService(String),
    #[error("unknown server")]
    UnknownServer,
    #[error("No such service")]
    NoSuchService,
    #[error("not every kind of object was listed yet; try again")]
    NotSynced,
}

/// INVALID_ARGUMENT ends a proxy's watch for good: it is for what can never become valid.
impl From<LookupError> for Status {
    fn from(error: LookupError) -> Self {
        let message = error.to_string();
        match error {
            LookupError::Workload(_)
            | LookupError::Port(_)
            | LookupError::NoTarget
            | LookupError::Authority
            | LookupError::NoHost
            | LookupError::NoIp
            | LookupError::ZeroPort
            | LookupError::PortRange => Self::invalid_argument(message),
            LookupError::NotService(_) | LookupError::UnknownServer | LookupError::NoSuchService => {
                Self::not_found(message)
            }
            LookupError::NotSynced => Self::unavailable(message),
        }
    }
}

#[derive(Deserialize)]
struct Token {
    ns: Option<String>,
    pod: Option<String>,
    external_workload: Option<String>,
}

/// Reads who a proxy says it is: `{"ns":…,"pod":…}`, `{"ns":…,"external_workload":…}` or `ns:pod`.
pub(super) fn workload(token: &str) -> Result<WorkloadId, LookupError> {
    let parsed = if token.starts_with('{') { json_workload(token) } else { plain_workload(token) };
    parsed.ok_or_else(|| LookupError::Workload(token.trim_end().to_owned()))
}

fn json_workload(token: &str) -> Option<WorkloadId> {
    let token: Token = serde_json::from_str(token).ok()?;
    let (kind, name) = match (token.pod, token.external_workload) {
        (Some(pod), _) => (WorkloadKind::Pod, pod),
        (None, Some(workload)) => (WorkloadKind::ExternalWorkload, workload),
        (None, None) => return None,
    };
    named(&token.ns?, kind, &name)
}

fn plain_workload(token: &str) -> Option<WorkloadId> {
    let (namespace, pod) = token.trim_end().split_once(':')?;
    named(namespace, WorkloadKind::Pod, pod)
}

fn named(namespace: &str, kind: WorkloadKind, name: &str) -> Option<WorkloadId> {
    let is_named = !namespace.is_empty() && !name.is_empty();
    is_named.then(|| WorkloadId { namespace: namespace.into(), key: WorkloadKey { kind, name: name.into() } })
}

/// Reads an inbound port.
pub(super) fn inbound_port(port: u32) -> Result<u16, LookupError> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or(LookupError::Port(port))
}

/// Reads what a proxy wants to send to.
pub(super) fn target(
    source_workload: &str,
    target: Option<traffic_spec::Target>,
    cluster_domain: &str,
) -> Result<TargetKey, LookupError> {
    let target = target.ok_or(LookupError::NoTarget)?;
    let client = workload(source_workload)?.namespace;
    let target = match target {
        traffic_spec::Target::Addr(address) => Target::Address(socket_address(address)?),
        traffic_spec::Target::Authority(authority) => Target::Service(service_port(&authority, cluster_domain)?),
    };
    Ok(TargetKey { client, target })
}

fn socket_address(address: net::TcpAddress) -> Result<SocketAddr, LookupError> {
    let port = u16::try_from(address.port).map_err(|_| LookupError::PortRange)?;
    if port == 0 {
        return Err(LookupError::ZeroPort);
    }
    let ip: IpAddr = address.ip.ok_or(LookupError::NoIp)?.try_into().map_err(|_| LookupError::NoIp)?;
    Ok(SocketAddr::new(ip.to_canonical(), port))
}

/// Port of an authority that has none.
const DEFAULT_PORT: u16 = 80;

/// Reads `<name>.<namespace>.svc.<cluster-domain>` with an optional port; the domain may be left out.
fn service_port(authority: &str, cluster_domain: &str) -> Result<ServicePort, LookupError> {
    let parsed: http::uri::Authority = authority.parse().map_err(|_| match authority {
        "" => LookupError::NoHost,
        _ => LookupError::Authority,
    })?;
    let host = parsed.host();
    if host.is_empty() {
        return Err(LookupError::NoHost);
    }
    let after_user = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let port = match after_user[host.len()..].strip_prefix(':').unwrap_or_default() {
        "" => DEFAULT_PORT,
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => match text.parse() {
            Ok(0) => DEFAULT_PORT,
            Ok(port) => port,
            Err(_) => return Err(LookupError::PortRange),
        },
        _ => return Err(LookupError::Authority),
    };
    let service = service(host, cluster_domain).ok_or_else(|| LookupError::NotService(cluster_domain.to_owned()))?;
    Ok(ServicePort { service, port })
}

fn service(host: &str, cluster_domain: &str) -> Option<ObjectId> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = cluster_domain.trim_matches('.').to_ascii_lowercase();
    let name = host.strip_suffix(&domain).and_then(|rest| rest.strip_suffix('.')).unwrap_or(&host);
    let (name, namespace) = name.strip_suffix(".svc")?.split_once('.')?;
    (is_dns_label(name) && is_dns_label(namespace)).then(|| ObjectId::new(namespace, name))
}

#[cfg(test)]
mod tests;
