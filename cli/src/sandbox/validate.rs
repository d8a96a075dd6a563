//! What a cluster would refuse: fields of kinds that this control plane reads.

use linkerd_k8s::{EndpointSlice, ExternalWorkload, Namespace, Pod, Resource, Server, Service, policy};
use serde_json::Value;

/// A field that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field; empty for the object as a whole.
    pub field: String,
    /// Why.
    pub reason: String,
}

/// Whether objects of a kind are in no namespace.
pub fn is_cluster_scoped(kind: &str) -> bool {
    matches!(
        kind,
        "Namespace" | "Node" | "PersistentVolume" | "StorageClass" | "PriorityClass" | "RuntimeClass" | "IngressClass"
    ) || kind.starts_with("Cluster")
        || kind.starts_with("CustomResource")
        || kind.ends_with("WebhookConfiguration")
        || kind == "APIService"
}

/// Checks an object that this control plane reads; others are taken as they are.
///
/// # Errors
/// The first field that cannot be decoded, or what admission says.
pub fn object(object: &Value) -> Result<(), Invalid> {
    for decode in DECODERS {
        if let Some(result) = decode(object) {
            result?;
        }
    }
    if object["kind"] == "ServiceProfile" {
        let judged = linkerd_sp_validator::core::validate(Some(object));
        return judged.map(|_| ()).map_err(|error| Invalid { field: String::new(), reason: error.to_string() });
    }
    template(object)
}

type Decoder = fn(&Value) -> Option<Result<(), Invalid>>;

const DECODERS: &[Decoder] = &[
    decode::<Namespace>,
    decode::<Pod>,
    decode::<Service>,
    decode::<EndpointSlice>,
    decode::<ExternalWorkload>,
    decode::<Server>,
    decode::<policy::ServerAuthorization>,
    decode::<policy::AuthorizationPolicy>,
    decode::<policy::MeshTlsAuthentication>,
    decode::<policy::NetworkAuthentication>,
];

fn decode<T: Resource>(object: &Value) -> Option<Result<(), Invalid>> {
    let group = object["apiVersion"].as_str()?.rsplit_once('/').map_or("", |(group, _)| group);
    (object["kind"] == T::KIND && group == T::GROUP).then(|| decoded::<T>(object, ""))
}

/// The pod template of a workload is checked like a pod.
fn template(object: &Value) -> Result<(), Invalid> {
    for path in ["spec.template", "spec.jobTemplate.spec.template"] {
        let pointer = format!("/{}", path.replace('.', "/"));
        if let Some(template) = object.pointer(&pointer) {
            decoded::<Pod>(template, path)?;
        }
    }
    Ok(())
}

fn decoded<T: Resource>(object: &Value, prefix: &str) -> Result<(), Invalid> {
    serde_path_to_error::deserialize::<_, T>(object).map(|_| ()).map_err(|error| {
        let dot = if prefix.is_empty() { "" } else { "." };
        Invalid { field: format!("{prefix}{dot}{}", error.path()), reason: error.inner().to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_field_at_fault_is_named_also_inside_templates() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "ports": [{"containerPort": "http"}]}]}}}});
        let invalid = object(&deployment).unwrap_err();
        assert_eq!(invalid.field, "spec.template.spec.containers[0].ports[0].containerPort");
    }

    #[test]
    fn kinds_that_are_not_read_are_taken_as_they_are() {
        assert_eq!(object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": 7})), Ok(()));
        assert_eq!(object(&json!({"apiVersion": "example.com/v1", "kind": "Service", "spec": 7})), Ok(()));
    }
}
