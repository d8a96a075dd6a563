//! Requests that the kubelet sends to find out how a pod is.

use super::workload::tcp_ports;
use http::uri::PathAndQuery;
use linkerd_k8s::{
    Pod,
    pod::{Container, HttpGet},
    ports::PortName,
};
use std::collections::{BTreeMap, BTreeSet};

/// Paths of the HTTP probes of a pod, by port. Init containers may be sidecars, which have probes too.
pub(super) fn of_pod(pod: &Pod) -> BTreeMap<u16, BTreeSet<String>> {
    let mut paths: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for container in pod.containers() {
        for request in container.probes().filter_map(|probe| probe.http_get.as_ref()) {
            if let Some((port, path)) = port(request, container).zip(path(request)) {
                paths.entry(port).or_default().insert(path);
            }
        }
    }
    paths
}

/// The port of a probe; a name is one of the same container's TCP ports.
fn port(request: &HttpGet, container: &Container) -> Option<u16> {
    match &request.port {
        PortName::Number(number) => Some(*number).filter(|number| *number > 0),
        PortName::Name(name) => tcp_ports(container).find(|port| port.name == *name).map(|port| port.container_port),
    }
}

/// The path that arrives: without query and fragment, and with a leading slash, as the kubelet sends it.
fn path(request: &HttpGet) -> Option<String> {
    let written = request.path.as_deref().unwrap_or_default();
    let path = written.split(['?', '#']).next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    path.parse::<PathAndQuery>().is_ok().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 87.
    #[test]
    fn a_path_is_what_the_kubelet_sends() {
        let path = |text: &str| path(&HttpGet { path: Some(text.to_owned()), port: PortName::default() });
        assert_eq!(path("rel").as_deref(), Some("/rel"));
        assert_eq!(path("/x%20y?z#f").as_deref(), Some("/x%20y"));
        assert_eq!(path("/x#f?z").as_deref(), Some("/x"));
        assert_eq!(path("").as_deref(), Some("/"));
        assert_eq!(path("/x y"), None);
        assert_eq!(super::path(&HttpGet::default()).as_deref(), Some("/"));
    }
}
