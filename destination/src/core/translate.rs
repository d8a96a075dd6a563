//! From a workload to what a proxy is told of its endpoint.

use super::{
    config::Config,
    endpoint::{Endpoint, Hint, MetricLabels, Protocol, TlsIdentity},
    workload::{External, Owner, Pod, ProxyPorts},
};
use linkerd_k8s::{Identity, PortSet};
use std::{borrow::Cow, sync::Arc};

/// Port of an external workload's proxy when it names none.
const EXTERNAL_INBOUND_PORT: u16 = 4143;

/// Name of the proxy's port among those of an external workload.
const EXTERNAL_PROXY_PORT: &str = "linkerd-proxy";

/// Owner as a metric label: kind and name.
pub type OwnerLabel = (Cow<'static, str>, Arc<str>);

/// How an endpoint was found, which shows in its labels.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// In a slice, which says in which zone it is.
    InSlice {
        /// The zone, maybe empty.
        zone: &'a Arc<str>,
    },
    /// By its address.
    ByAddress,
}

/// An endpoint, and whether its port is opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether the port is opaque; of an endpoint outside of the mesh only a profile tells.
    pub is_opaque: bool,
}

/// Whether a port is opaque by annotation, or by default where there is none.
pub fn is_opaque(annotated: Option<&PortSet>, config: &Config, port: u16) -> bool {
    annotated.unwrap_or(&config.default_opaque_ports).contains(port)
}

/// Translates a pod.
pub fn pod(config: &Config, pod: &Pod, owner: OwnerLabel, port: u16, by_server: bool, found: Found<'_>) -> Translation {
    let template = &*pod.template;
    let is_opaque = by_server || is_opaque(template.opaque.as_ref(), config, port);
    let is_meshed = !template.mesh.is_empty() && !template.skipped.contains(port);
    let hint = if is_meshed { hint(config, template.proxy, port, is_opaque) } else { None };
    let has_identity = !config.trust_domain.is_empty() && *template.mesh == *config.controller_namespace;
    let identity = (hint.is_some() && has_identity).then(|| {
        let (account, mesh) = (&template.service_account, &template.mesh);
        let identity = Identity::service_account(account, &pod.namespace, mesh, &config.trust_domain);
        TlsIdentity::Workload(identity.as_str().into())
    });
    let endpoint = Endpoint {
        labels: pod_labels(pod, owner, found),
        identity,
        hint,
        authority: None,
        http2: hint.is_some() && config.http2.is_some(),
    };
    Translation { endpoint, is_opaque }
}

/// The hint for a meshed pod. A proxy whose ports cannot be read is as good as none.
fn hint(config: &Config, proxy: ProxyPorts, port: u16, is_opaque: bool) -> Option<Hint> {
    let (admin, control) = (proxy.admin?, proxy.control?);
    let protocol = match is_opaque {
        true => Some(Protocol::Opaque),
        false => config.h2_upgrade.then_some(Protocol::H2),
    };
    let is_transported = (is_opaque || config.force_opaque_transport) && port != admin && port != control;
    let opaque_transport = if is_transported { Some(proxy.inbound?) } else { None };
    Some(Hint { protocol, opaque_transport })
}

fn pod_labels(pod: &Pod, (owner_kind, owner_name): OwnerLabel, found: Found<'_>) -> MetricLabels {
    let template = &*pod.template;
    let set = |key: &'static str, value: &Arc<str>| (Cow::Borrowed(key), value.clone());
    let optional = |key, value: &Arc<str>| (!value.is_empty()).then(|| set(key, value));
    let owner_kind = if owner_kind == "job" { Cow::Borrowed("k8s_job") } else { owner_kind };
    let mut labels = vec![(owner_kind, owner_name), set("pod", &pod.name)];
    labels.push(set("serviceaccount", &template.service_account));
    labels.extend(optional("control_plane_ns", &template.mesh));
    labels.extend(optional("pod_template_hash", &template.template_hash));
    labels.extend(found_labels(&pod.namespace, found));
    MetricLabels::new(labels)
}

fn found_labels(namespace: &Arc<str>, found: Found<'_>) -> Vec<(Cow<'static, str>, Arc<str>)> {
    match found {
        Found::InSlice { zone } => vec![("zone".into(), zone.clone())],
        Found::ByAddress => vec![("zone".into(), "".into()), ("namespace".into(), namespace.clone())],
    }
}

/// Translates a workload outside of the cluster.
pub fn external(config: &Config, workload: &External, port: u16, by_server: bool, found: Found<'_>) -> Translation {
    let is_opaque = by_server || is_opaque(workload.opaque.as_ref(), config, port);
    let is_transported = is_opaque || config.force_opaque_transport;
    let inbound = workload.ports.iter().find(|port| &*port.name == EXTERNAL_PROXY_PORT).map(|port| port.port);
    let hint = Hint {
        protocol: Some(if is_opaque { Protocol::Opaque } else { Protocol::H2 }),
        opaque_transport: is_transported.then(|| inbound.unwrap_or(EXTERNAL_INBOUND_PORT)),
    };
    let mut labels = Vec::new();
    labels.extend(workload.owner.as_ref().map(|owner| (owner_kind(&owner.kind), owner.name.clone())));
    labels.push(("external_workload".into(), workload.name.clone()));
    labels.extend(found_labels(&workload.namespace, found));
    let (uri, server_name) = (workload.identity.clone(), workload.server_name.clone());
    let endpoint = Endpoint {
        labels: MetricLabels::new(labels),
        identity: Some(TlsIdentity::External { uri, server_name }),
        hint: Some(hint),
        authority: None,
        http2: config.http2.is_some(),
    };
    Translation { endpoint, is_opaque }
}

/// Translates an endpoint behind which there is no object. A gateway has an identity.
pub fn bare(config: &Config, identity: Option<&Arc<str>>, authority: Option<Arc<str>>) -> Endpoint {
    let protocol = config.h2_upgrade.then_some(Protocol::H2);
    Endpoint {
        labels: MetricLabels::default(),
        identity: identity.map(|identity| TlsIdentity::Gateway(identity.clone())),
        hint: identity.and(protocol).map(|h2| Hint { protocol: Some(h2), opaque_transport: None }),
        authority,
        http2: identity.is_some() && config.http2.is_some(),
    }
}

/// The owner that a pod shows: its own only owner, or that owner's where it is merely a step between.
///
/// `above` finds the only owner of a ReplicaSet or Job, if that is known.
pub fn owner_label<'a>(pod: &'a Pod, above: impl FnOnce(&'a Owner) -> Option<&'a Owner>) -> OwnerLabel {
    let Some(owner) = &pod.template.owner else { return ("pod".into(), pod.name.clone()) };
    let step = match &*owner.kind {
        "ReplicaSet" => above(owner).filter(|owner| is_pod_controller(&owner.kind)),
        "Job" => above(owner),
        _ => None,
    };
    let shown = step.unwrap_or(owner);
    (owner_kind(&shown.kind), shown.name.clone())
}

fn is_pod_controller(kind: &str) -> bool {
    ["Job", "StatefulSet", "DaemonSet", "Deployment"].iter().any(|known| known.eq_ignore_ascii_case(kind))
}

fn owner_kind(kind: &str) -> Cow<'static, str> {
    match kind {
        "Deployment" => "deployment".into(),
        "ReplicaSet" => "replicaset".into(),
        "StatefulSet" => "statefulset".into(),
        "DaemonSet" => "daemonset".into(),
        "CronJob" => "cronjob".into(),
        "Job" => "job".into(),
        other => other.to_lowercase().into(),
    }
}

#[cfg(test)]
mod tests;
