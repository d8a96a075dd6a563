//! What rules ask of pods.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodStatus};
use kube::api::ObjectMeta;
use linkerd_k8s::names::{PROXY_CONTAINER, label};

/// `NAMESPACE/NAME`.
pub fn id(metadata: &ObjectMeta) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}", part(&metadata.namespace), part(&metadata.name))
}

/// The name of an object.
pub fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

/// The value of a label.
pub fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The value of an annotation.
pub fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The containers of a pod, those first that start first.
pub fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    init.chain(spec.into_iter().flat_map(|spec| &spec.containers))
}

/// The proxy of a pod, whether it is a container or a native sidecar.
pub fn proxy(pod: &Pod) -> Option<&Container> {
    containers(pod).find(|container| container.name == PROXY_CONTAINER)
}

/// How the containers of a pod are.
pub fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let lists = pod.status.iter().flat_map(|status| [&status.init_container_statuses, &status.container_statuses]);
    lists.flatten().flatten()
}

/// Whether the proxy is ready, which it is only once it has a certificate.
pub fn has_ready_proxy(pod: &Pod) -> bool {
    statuses(pod).any(|status| status.name == PROXY_CONTAINER && status.ready)
}

/// Whether a pod belongs to the data plane of a control plane: it has a proxy that it serves.
pub fn is_meshed(pod: &Pod, control_plane: &str) -> bool {
    label(&pod.metadata, label::CONTROL_PLANE_NS) == Some(control_plane) && proxy(pod).is_some()
}

/// The phase of a pod's life.
pub fn phase(pod: &Pod) -> &str {
    status(pod).and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// Whether a pod has ended, was evicted, or is asked to end: nothing is expected of it.
pub fn is_gone(pod: &Pod) -> bool {
    const ENDS: [&str; 4] = ["NodeShutdown", "Shutdown", "Terminated", "Evicted"];
    let reason = status(pod).and_then(|status| status.reason.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_some() || phase(pod) == "Succeeded" || ENDS.contains(&reason)
}

/// The primary address of a pod with a network of its own.
pub fn address(pod: &Pod) -> Option<&str> {
    let shares_network = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
    status(pod).filter(|_| !shares_network)?.pod_ip.as_deref()
}

fn status(pod: &Pod) -> Option<&PodStatus> {
    pod.status.as_ref()
}

/// Why a container is not ready, as far as its status tells.
pub fn trouble(status: &ContainerStatus) -> String {
    let state = status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref()?.reason.clone());
    let ended = state.and_then(|state| state.terminated.as_ref()?.reason.clone());
    waiting.or(ended).unwrap_or_else(|| "not ready".to_owned())
}

/// The time of the Kubernetes API as our own.
pub fn time(time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time) -> Timestamp {
    time.0
}
