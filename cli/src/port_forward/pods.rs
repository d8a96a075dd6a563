//! What a pod is made of, as far as connections to it need to know.

use k8s_openapi::api::core::v1::{Container, Pod};
use linkerd_k8s::names::PROXY_CONTAINER;

/// Whether the pod has been started and has not ended.
pub fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

/// Whether the pod takes requests.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The containers of a pod, also those that start before the others and may keep running.
pub fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
}

/// Whether a proxy runs in the pod.
pub fn has_proxy(pod: &Pod) -> bool {
    containers(pod).any(|container| container.name == PROXY_CONTAINER)
}

/// The number of a container's port.
pub fn named_port(container: &Container, name: &str) -> Option<u16> {
    let port = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name))?;
    port.container_port.try_into().ok()
}
