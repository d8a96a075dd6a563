//! What every object has: its name, labels, owners and times.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// A kind of object that can be watched and read from manifests.
///
/// Implementors decode only what they use; `serde` skips the rest.
pub trait Resource: DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// API group, empty for the core group.
    const GROUP: &'static str;
    /// Version that is asked of the API server.
    const VERSION: &'static str;
    /// Kind as written in manifests.
    const KIND: &'static str;
    /// Plural, lower-case name in URLs.
    const PLURAL: &'static str;

    /// Whether only the metadata is asked of the API server.
    const METADATA_ONLY: bool = false;

    /// The object's metadata.
    fn meta(&self) -> &Meta;

    /// The object's name and namespace.
    fn id(&self) -> ObjectId {
        ObjectId { namespace: self.meta().namespace.clone(), name: self.meta().name.clone() }
    }
}

/// Namespace and name: what identifies an object among those of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// Namespace, empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name within the namespace.
    pub name: String,
}

impl ObjectId {
    /// Names an object.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// The part of `ObjectMeta` that is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name within the namespace.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Namespace, empty for cluster-scoped objects.
    #[serde(deserialize_with = "null_is_default")]
    pub namespace: String,
    /// Identity of the object through its life; empty in manifests.
    #[serde(deserialize_with = "null_is_default")]
    pub uid: String,
    /// Version that the API server gave to this state of the object; empty in manifests.
    #[serde(deserialize_with = "null_is_default")]
    pub resource_version: String,
    /// Counts changes of the specification.
    pub generation: Option<i64>,
    /// Labels, all of them, since selectors may name any.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations whose key belongs to Linkerd; others are dropped while decoding.
    #[serde(deserialize_with = "linkerd_annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Objects that this one belongs to.
    #[serde(deserialize_with = "null_is_default")]
    pub owner_references: Vec<OwnerReference>,
    /// When the API server created the object.
    pub creation_timestamp: Option<Timestamp>,
    /// When deletion was asked for, if it was.
    pub deletion_timestamp: Option<Timestamp>,
    /// When the object was last updated, by the newest entry of `managedFields`.
    #[serde(rename = "managedFields", deserialize_with = "last_update")]
    pub updated: Option<Timestamp>,
}

impl Meta {
    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// Reference to the object that owns another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Group and version of the owner's kind.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// UID of the owner.
    pub uid: String,
    /// Whether the owner is the managing controller.
    #[serde(deserialize_with = "null_is_default")]
    pub controller: bool,
}

/// Decodes a field in which `null` means the default, as the Kubernetes API does.
pub fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn linkerd_annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of annotations")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_map(self)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut kept = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                if key.split('/').next().is_some_and(|domain| domain.ends_with("linkerd.io")) {
                    kept.insert(key, map.next_value()?);
                } else {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
            Ok(kept)
        }
    }

    deserializer.deserialize_option(Visitor)
}

/// The newest time at which a manager updated the object; nothing where that cannot be read.
fn last_update<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Managed<'a> {
        #[serde(borrow)]
        operation: Cow<'a, str>,
        #[serde(borrow)]
        time: Option<Cow<'a, str>>,
    }
    let entries: Option<Vec<Managed<'_>>> = Option::deserialize(deserializer)?;
    let updates = entries.into_iter().flatten().filter(|entry| entry.operation == "Update");
    Ok(updates.filter_map(|entry| entry.time?.parse().ok()).max())
}

/// Implements [`Resource`] for a struct with a `metadata` field.
macro_rules! resource {
    ($type:ty, $group:literal, $version:literal, $kind:literal, $plural:literal) => {
        impl $crate::meta::Resource for $type {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = $kind;
            const PLURAL: &'static str = $plural;

            fn meta(&self) -> &$crate::meta::Meta {
                &self.metadata
            }
        }
    };
}
pub(crate) use resource;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_annotations_of_linkerd_are_kept_and_null_is_absent() {
        let meta: Meta = serde_json::from_str(
            r#"{"name":"web","labels":null,"annotations":{
                "kubectl.kubernetes.io/last-applied-configuration":"{}",
                "config.linkerd.io/opaque-ports":"25","linkerd.io/inject":"enabled"},
                "managedFields":[{"manager":"x"}],"creationTimestamp":null}"#,
        )
        .unwrap();
        assert_eq!(meta.annotations.len(), 2);
        assert_eq!(meta.annotation("config.linkerd.io/opaque-ports"), Some("25"));
        assert!(meta.labels.is_empty());
        let none: Meta = serde_json::from_str(r#"{"annotations":null}"#).unwrap();
        assert!(none.annotations.is_empty());
    }

    #[test]
    fn an_id_without_namespace_prints_its_name_alone() {
        assert_eq!(ObjectId::new("", "node-1").to_string(), "node-1");
        assert_eq!(ObjectId::new("emojivoto", "web").to_string(), "emojivoto/web");
    }
}
