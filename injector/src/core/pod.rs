//! What injection reads of a pod or pod template.
//!
//! Pods stay untyped JSON, so that a patch never loses a field; this is a borrowed view of it.

use linkerd_k8s::{
    meta::{OwnerReference, null_is_default},
    pod::{ContainerPort, Probe},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where Kubernetes mounts the token of a pod's service account.
pub const SERVICE_ACCOUNT_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// An object that does not have the shape of its kind.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A field of another type.
    #[error("the {what} cannot be read: {source}")]
    Shape {
        /// Part of the object.
        what: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// No object, or no template in it.
    #[error("the {0} is not an object")]
    NoObject(&'static str),
}

/// A pod or pod template, read.
#[derive(Clone, Debug, Default)]
pub struct PodView {
    /// Metadata.
    pub meta: MetaView,
    /// Specification.
    pub spec: SpecView,
    /// Which parts are there at all.
    pub present: Present,
}

/// Which parts of a template exist, so that a patch creates those that do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Metadata with at least one field.
    pub metadata: bool,
    /// At least one annotation.
    pub annotations: bool,
    /// At least one label.
    pub labels: bool,
    /// A specification.
    pub spec: bool,
    /// At least one volume.
    pub volumes: bool,
    /// At least one init container.
    pub init_containers: bool,
}

/// Metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetaView {
    /// Name, empty before the API server generated one.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// What the API server generates a name from.
    #[serde(deserialize_with = "null_is_default")]
    pub generate_name: String,
    /// Namespace, empty in manifests that do not say.
    #[serde(deserialize_with = "null_is_default")]
    pub namespace: String,
    /// All annotations.
    #[serde(deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// All labels.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Owners.
    #[serde(deserialize_with = "null_is_default")]
    pub owner_references: Vec<OwnerReference>,
}

/// Specification of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpecView {
    /// Whether the pod shares its node's network.
    #[serde(deserialize_with = "null_is_default")]
    pub host_network: bool,
    /// Whether the service account's token is mounted.
    pub automount_service_account_token: Option<bool>,
    /// Service account, empty for `default`.
    #[serde(deserialize_with = "null_is_default")]
    pub service_account_name: String,
    /// Init containers.
    #[serde(deserialize_with = "null_is_default")]
    pub init_containers: Vec<ContainerView>,
    /// Containers.
    #[serde(deserialize_with = "null_is_default")]
    pub containers: Vec<ContainerView>,
    /// Volumes.
    #[serde(deserialize_with = "null_is_default")]
    pub volumes: Vec<Named>,
}

/// Something with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Named {
    /// The name.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerView {
    /// Name.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Image.
    #[serde(deserialize_with = "null_is_default")]
    pub image: String,
    /// Declared ports.
    #[serde(deserialize_with = "null_is_default")]
    pub ports: Vec<ContainerPort>,
    /// Probe that restarts the container.
    pub liveness_probe: Option<Probe>,
    /// Probe that takes the pod out of Services.
    pub readiness_probe: Option<Probe>,
    /// Probe that holds back the others.
    pub startup_probe: Option<Probe>,
    /// Mounted volumes.
    #[serde(deserialize_with = "null_is_default")]
    pub volume_mounts: Vec<MountView>,
    /// Security context.
    pub security_context: Option<SecurityView>,
}

/// A mounted volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountView {
    /// Name of the volume.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Path in the container.
    #[serde(deserialize_with = "null_is_default")]
    pub mount_path: String,
    /// Whether it cannot be written.
    #[serde(deserialize_with = "null_is_default")]
    pub read_only: bool,
}

/// Security context of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SecurityView {
    /// Capabilities.
    pub capabilities: Option<Capabilities>,
}

/// Capabilities added to and dropped from a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Added.
    #[serde(deserialize_with = "null_is_default")]
    pub add: Vec<String>,
    /// Dropped.
    #[serde(deserialize_with = "null_is_default")]
    pub drop: Vec<String>,
}

impl PodView {
    /// Reads a pod, or the pod template of a workload.
    ///
    /// # Errors
    /// A part that is read here has another type than the Kubernetes API gives it.
    pub fn read(template: &Value) -> Result<Self, Malformed> {
        let template = template.as_object().ok_or(Malformed::NoObject("pod template"))?;
        let meta = MetaView::read(template)?;
        let spec = match template.get("spec") {
            None | Some(Value::Null) => SpecView::default(),
            Some(spec) => {
                SpecView::deserialize(spec).map_err(|source| Malformed::Shape { what: "pod's spec", source })?
            }
        };
        let has = |parent: &str, child: &str| is_filled(template.get(parent).and_then(|parent| parent.get(child)));
        let present = Present {
            metadata: template.get("metadata").and_then(Value::as_object).is_some_and(has_fields),
            annotations: has("metadata", "annotations"),
            labels: has("metadata", "labels"),
            spec: template.get("spec").is_some_and(Value::is_object),
            volumes: has("spec", "volumes"),
            init_containers: has("spec", "initContainers"),
        };
        Ok(Self { meta, spec, present })
    }

    /// Init containers, then containers.
    pub fn all_containers(&self) -> impl Iterator<Item = &ContainerView> {
        self.spec.init_containers.iter().chain(&self.spec.containers)
    }

    /// Service account of the pod.
    pub fn service_account(&self) -> &str {
        if self.spec.service_account_name.is_empty() { "default" } else { &self.spec.service_account_name }
    }

    /// The service account's mount in the first container.
    pub fn service_account_mount(&self) -> Option<&MountView> {
        self.spec.containers.first()?.volume_mounts.iter().find(|mount| mount.mount_path == SERVICE_ACCOUNT_MOUNT)
    }

    /// Capabilities that the first container declares.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.spec.containers.first()?.security_context.as_ref()?.capabilities.as_ref()
    }
}

impl MetaView {
    /// Reads an object's metadata; an object without any has the default.
    ///
    /// # Errors
    /// A label or annotation that is no text, for instance.
    pub fn read(object: &Map<String, Value>) -> Result<Self, Malformed> {
        match object.get("metadata") {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(meta) => Self::deserialize(meta).map_err(|source| Malformed::Shape { what: "metadata", source }),
        }
    }
}

/// Generators write `creationTimestamp: null` into templates that have nothing else.
fn has_fields(metadata: &Map<String, Value>) -> bool {
    metadata.iter().any(|(_, value)| !value.is_null())
}

fn is_filled(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    }
}
