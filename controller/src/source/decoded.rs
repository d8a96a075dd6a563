//! Objects as they come from the API server: decoded into slim structs, or known to be undecodable.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use linkerd_k8s::{Meta, ObjectId, Resource};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One object of a watch or list.
///
/// Decoding it never fails, so that one bad object cannot stop a watch: what could not be decoded keeps
/// its name and the reason.
#[derive(Clone, Debug)]
pub struct Decoded<T> {
    /// Name and namespace.
    pub id: ObjectId,
    /// Version of this state, to report a fault once.
    pub resource_version: String,
    /// The object, or the field and reason why there is none.
    pub object: Result<T, String>,
    /// What the watcher looks at: name, namespace, UID and version.
    meta: ObjectMeta,
}

#[derive(Deserialize)]
struct MetaOnly {
    #[serde(default)]
    metadata: Meta,
}

impl<'de, T: Resource> Deserialize<'de> for Decoded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let decoded: Result<T, _> = serde_path_to_error::deserialize(&mut json);
        let (meta, object) = match decoded {
            Ok(object) => (object.meta().clone(), Ok(object)),
            Err(error) => (metadata_of_undecodable(raw.get()), Err(error.to_string())),
        };
        let resource_version = meta.resource_version.clone();
        let id = ObjectId::new(meta.namespace, meta.name);
        let meta = ObjectMeta {
            name: Some(id.name.clone()),
            namespace: Some(id.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(meta.uid),
            resource_version: Some(meta.resource_version),
            ..ObjectMeta::default()
        };
        Ok(Self { id, resource_version, object, meta })
    }
}

/// Reads the metadata of an object whose other fields, or some of whose metadata, make no sense.
fn metadata_of_undecodable(json: &str) -> Meta {
    if let Ok(MetaOnly { metadata }) = serde_json::from_str(json) {
        return metadata;
    }
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    Meta {
        name: text("name"),
        namespace: text("namespace"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        ..Meta::default()
    }
}

impl<T: Resource> kube::Resource for Decoded<T> {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        T::KIND.into()
    }

    fn group(_: &()) -> Cow<'_, str> {
        T::GROUP.into()
    }

    fn version(_: &()) -> Cow<'_, str> {
        T::VERSION.into()
    }

    fn plural(_: &()) -> Cow<'_, str> {
        T::PLURAL.into()
    }

    fn metadata_api() -> bool {
        T::METADATA_ONLY
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_k8s::Service;

    #[test]
    fn an_undecodable_object_keeps_its_name_and_says_which_field_is_wrong() {
        let json = r#"{"metadata":{"name":"web","namespace":"n","resourceVersion":"7"},
                       "spec":{"ports":[{"port":"eighty"}]}}"#;
        let decoded: Decoded<Service> = serde_json::from_str(json).unwrap();
        assert_eq!((decoded.id, decoded.resource_version.as_str()), (ObjectId::new("n", "web"), "7"));
        assert!(decoded.object.unwrap_err().starts_with("spec.ports[0].port: "));
    }

    #[test]
    fn even_bad_metadata_leaves_a_name() {
        let json = r#"{"metadata":{"name":"web","namespace":"n","labels":["x"]}}"#;
        let decoded: Decoded<Service> = serde_json::from_str(json).unwrap();
        assert_eq!(decoded.id, ObjectId::new("n", "web"));
        assert!(decoded.object.is_err());
    }

    #[test]
    fn an_event_of_a_watch_holds_a_decoded_object() {
        let line = r#"{"type":"ADDED","object":{"kind":"Service","metadata":{"name":"web","namespace":"n"}}}"#;
        let event: kube::core::WatchEvent<Decoded<Service>> = serde_json::from_str(line).unwrap();
        assert!(matches!(event, kube::core::WatchEvent::Added(decoded) if decoded.object.is_ok()));
    }
}
