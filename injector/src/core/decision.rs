//! Whether a pod is injected, and if not, every reason why.

use crate::core::pod::{ContainerView, PodView, SERVICE_ACCOUNT_MOUNT};
use linkerd_k8s::names::{INIT_CONTAINER, PROXY_CONTAINER};

/// A reason not to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The pod shares its node's network, whose traffic must not be redirected.
    HostNetwork,
    /// The pod has a proxy of this or another mesh.
    SidecarExists,
    /// The object has no pod template.
    UnsupportedResource,
    /// The namespace's annotation has a value that does not exist.
    InvalidAtNamespace,
    /// The pod's annotation has a value that does not exist.
    InvalidAtWorkload,
    /// The pod opts out.
    DisabledAtWorkload,
    /// Neither the namespace nor the pod opts in.
    NotEnabled,
    /// The pod has no token to certify itself with.
    NoServiceAccountToken,
}

impl SkipReason {
    /// Code in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::HostNetwork => "host_network_enabled",
            Self::SidecarExists => "sidecar_already_exists",
            Self::UnsupportedResource => "unsupported_resource",
            Self::InvalidAtNamespace => "invalid_inject_annotation_at_ns",
            Self::InvalidAtWorkload => "invalid_inject_annotation_at_workload",
            Self::DisabledAtWorkload => "injection_disable_annotation_present",
            Self::NotEnabled => "injection_enable_annotation_absent",
            Self::NoServiceAccountToken => "disabled_automount_service_account_token_account",
        }
    }

    /// Text for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::HostNetwork => "hostNetwork is enabled",
            Self::SidecarExists => "pod has a sidecar injected already",
            Self::UnsupportedResource => "this resource kind is unsupported",
            Self::InvalidAtNamespace => "invalid value for annotation \"linkerd.io/inject\" at namespace",
            Self::InvalidAtWorkload => "invalid value for annotation \"linkerd.io/inject\" at workload",
            Self::DisabledAtWorkload => "pod has the annotation \"linkerd.io/inject:disabled\"",
            Self::NotEnabled => "neither the namespace nor the pod have the annotation \"linkerd.io/inject:enabled\"",
            Self::NoServiceAccountToken => {
                "automountServiceAccountToken set to \"false\", with \
                 Values.identity.serviceAccountTokenProjection set to \"false\""
            }
        }
    }
}

/// Where the annotation was that decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AnnotationAt {
    /// Nowhere, or it was invalid.
    #[default]
    Nowhere,
    /// On the namespace.
    Namespace,
    /// On the pod.
    Workload,
}

impl AnnotationAt {
    /// Value of the label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nowhere => "",
            Self::Namespace => "namespace",
            Self::Workload => "workload",
        }
    }
}

/// Value of the annotation `linkerd.io/inject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inject {
    Absent,
    On,
    Disabled,
    Invalid,
}

impl Inject {
    fn read(value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Absent,
            Some("enabled" | "ingress") => Self::On,
            Some("disabled") => Self::Disabled,
            Some(_) => Self::Invalid,
        }
    }
}

/// Decides by the annotation: `Err` has the reason not to inject.
pub fn by_annotation(namespace: Option<&str>, pod: Option<&str>) -> (AnnotationAt, Result<(), SkipReason>) {
    match (Inject::read(namespace), Inject::read(pod)) {
        (Inject::Invalid, _) => (AnnotationAt::Nowhere, Err(SkipReason::InvalidAtNamespace)),
        (_, Inject::Invalid) => (AnnotationAt::Nowhere, Err(SkipReason::InvalidAtWorkload)),
        (Inject::On, Inject::Disabled) => (AnnotationAt::Workload, Err(SkipReason::DisabledAtWorkload)),
        (Inject::On, Inject::On | Inject::Absent) => (AnnotationAt::Namespace, Ok(())),
        (Inject::Absent | Inject::Disabled, Inject::On) => (AnnotationAt::Workload, Ok(())),
        (Inject::Absent | Inject::Disabled, Inject::Absent | Inject::Disabled) => {
            (AnnotationAt::Nowhere, Err(SkipReason::NotEnabled))
        }
    }
}

/// Whether the pod has a proxy already, of this mesh or another.
pub fn has_sidecar(pod: &PodView) -> bool {
    const PROXY_IMAGES: [&str; 2] = ["cr.l5d.io/linkerd/proxy:", "gcr.io/istio-release/proxyv2:"];
    const INIT_IMAGES: [&str; 2] = ["cr.l5d.io/linkerd/proxy-init:", "gcr.io/istio-release/proxy_init:"];
    let is = |container: &ContainerView, names: [&str; 2], images: [&str; 2]| {
        names.contains(&container.name.as_str()) || images.iter().any(|image| container.image.starts_with(image))
    };
    pod.all_containers().any(|container| is(container, [PROXY_CONTAINER, "istio-proxy"], PROXY_IMAGES))
        || pod.spec.init_containers.iter().any(|container| is(container, [INIT_CONTAINER, "istio-init"], INIT_IMAGES))
}

/// Whether the pod lacks the token of its service account, which proxies need without one of their own.
pub fn lacks_token(pod: &PodView) -> bool {
    let first = pod.spec.containers.first();
    let is_mounted = first
        .is_some_and(|container| container.volume_mounts.iter().any(|mount| mount.mount_path == SERVICE_ACCOUNT_MOUNT));
    pod.spec.automount_service_account_token == Some(false) || !is_mounted
}

#[cfg(test)]
mod tests {
    use super::*;

    // Acceptance cases 1 to 6 and 78.
    #[test]
    fn the_annotation_decides_by_namespace_and_pod() {
        use AnnotationAt::{Namespace, Nowhere, Workload};
        use SkipReason::{DisabledAtWorkload, InvalidAtNamespace, InvalidAtWorkload, NotEnabled};
        for (namespace, pod, at, result) in [
            (Some("enabled"), None, Namespace, Ok(())),
            (Some("ingress"), None, Namespace, Ok(())),
            (Some("enabled"), Some(""), Namespace, Ok(())),
            (Some("ingress"), Some("enabled"), Namespace, Ok(())),
            (None, Some("enabled"), Workload, Ok(())),
            (Some(""), Some("ingress"), Workload, Ok(())),
            (Some("disabled"), Some("enabled"), Workload, Ok(())),
            (Some("enabled"), Some("disabled"), Workload, Err(DisabledAtWorkload)),
            (Some("ingress"), Some("disabled"), Workload, Err(DisabledAtWorkload)),
            (None, None, Nowhere, Err(NotEnabled)),
            (None, Some("disabled"), Nowhere, Err(NotEnabled)),
            (Some("disabled"), Some("disabled"), Nowhere, Err(NotEnabled)),
            (Some("disabled"), None, Nowhere, Err(NotEnabled)),
            (Some("true"), Some("enabled"), Nowhere, Err(InvalidAtNamespace)),
            (Some("Enabled"), Some("yes"), Nowhere, Err(InvalidAtNamespace)),
            (Some("enabled"), Some("yes"), Nowhere, Err(InvalidAtWorkload)),
            (None, Some("yes"), Nowhere, Err(InvalidAtWorkload)),
        ] {
            assert_eq!(by_annotation(namespace, pod), (at, result), "{namespace:?} {pod:?}");
        }
    }
}
