//! Whether Services and the pods behind them agree about opaque ports: clients go by the Service, the proxy
//! of the pod by the pod.

use super::pods::{annotation, containers, name};
use crate::check::{
    context::Context,
    rules::data_plane::proxies,
    verdict::{Finding, Verdict},
};
use k8s_openapi::{
    api::core::v1::{Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use linkerd_k8s::{PortSet, names::annotation::OPAQUE_PORTS};
use std::collections::BTreeSet;

/// Services and pods agree.
pub async fn agree(context: &Context) -> Verdict {
    let namespace = context.options.data_plane_namespace.as_deref();
    let services = context.reads()?.maybe_within(namespace).await?;
    let pods = context.reads()?.maybe_within(namespace).await?;
    let defaults =
        read(Some(context.config().await?.values.proxy.opaque_ports.as_str()), |_| Vec::new()).unwrap_or_default();
    all_agree(&services, &pods, context.namespace(), &defaults)
}

fn all_agree(services: &[Service], pods: &[Pod], control_plane: &str, defaults: &PortSet) -> Verdict {
    let mut complaints = BTreeSet::new();
    for service in services {
        let Some(spec) = service.spec.as_ref().filter(|spec| spec.cluster_ip.as_deref() != Some("None")) else {
            continue;
        };
        let Some(selector) = spec.selector.as_ref().filter(|selector| !selector.is_empty()) else { continue };
        let selected = proxies(pods, control_plane).filter(|pod| {
            let labels = pod.metadata.labels.as_ref();
            let is_selected =
                labels.is_some_and(|labels| selector.iter().all(|(key, value)| labels.get(key) == Some(value)));
            is_selected && pod.metadata.namespace == service.metadata.namespace
        });
        let ports: Vec<&ServicePort> = spec.ports.iter().flatten().filter(|port| is_tcp(port)).collect();
        for pod in selected {
            complaints.extend(ports.iter().filter_map(|port| complaint(service, port, pod, defaults)));
        }
    }
    let lines: String = complaints.iter().map(|line| format!("\n\t* {line}")).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Finding::Error(format!("some opaque ports are not annotated on both sides:{lines}"))),
    }
}

fn is_tcp(port: &ServicePort) -> bool {
    port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP")
}

/// What to change so that a Service and a pod agree about a port.
fn complaint(service: &Service, port: &ServicePort, pod: &Pod, defaults: &PortSet) -> Option<String> {
    let number = u16::try_from(port.port).ok()?;
    let target = target(port, number, pod)?;
    let of_service = read(annotation(&service.metadata, OPAQUE_PORTS), |_| Vec::new());
    let of_pod = read(annotation(&pod.metadata, OPAQUE_PORTS), |name| named(pod, name));
    let is_expected = of_service.as_ref().unwrap_or(defaults).contains(number);
    let is_opaque = of_pod.as_ref().unwrap_or(defaults).contains(target);
    let (service, pod) = (name(&service.metadata), name(&pod.metadata));
    match (is_expected, is_opaque) {
        (true, false) => Some(format!(
            "service {service} expects target port {target} to be opaque; add it to pod {pod} {OPAQUE_PORTS} annotation"
        )),
        (false, true) => Some(format!(
            "service {service} targets the opaque port {target} through {number}; add {number} to its {OPAQUE_PORTS} annotation"
        )),
        _ => None,
    }
}

/// The port of a pod that a port of a Service leads to.
fn target(port: &ServicePort, number: u16, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(number),
        Some(IntOrString::Int(target)) => u16::try_from(*target).ok(),
        Some(IntOrString::String(name)) => named(pod, name).first().copied(),
    }
}

/// The ports of a pod's containers that have a name.
fn named(pod: &Pod, name: &str) -> Vec<u16> {
    let ports = containers(pod).flat_map(|container| container.ports.iter().flatten());
    let named = ports.filter(|port| port.name.as_deref() == Some(name));
    named.filter_map(|port| u16::try_from(port.container_port).ok()).collect()
}

/// The ports of an annotation, ranges included; what cannot be read is left out, as the control plane does.
fn read(text: Option<&str>, named: impl Fn(&str) -> Vec<u16>) -> Option<PortSet> {
    text.map(|text| PortSet::parse_lenient(text, named, |_| {}))
}

#[cfg(test)]
mod tests;
