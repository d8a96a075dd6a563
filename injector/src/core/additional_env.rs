//! Environment variables that users add to the proxy: values, then namespace, then pod.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An environment variable of a container, as in the Kubernetes API. Unknown fields are dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value, absent or empty with `value_from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where a variable's value comes from: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVarSource {
    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
    /// A field of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldRef>,
    /// A resource of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<ResourceFieldRef>,
    /// A key of a file in a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_key_ref: Option<FileKeyRef>,
}

/// A key of a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyRef {
    /// Name of the object.
    #[serde(default)]
    pub name: String,
    /// Key in it.
    pub key: String,
    /// Whether it may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A field of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldRef {
    /// Version that the path is written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Path of the field.
    pub field_path: String,
}

/// A resource of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceFieldRef {
    /// Name of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Resource, such as `limits.cpu`.
    pub resource: String,
    /// Unit, a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divisor: Option<Value>,
}

/// A key of a file of variables in a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileKeyRef {
    /// Name of the volume.
    pub volume_name: String,
    /// Path of the file in it.
    pub path: String,
    /// Key in the file.
    pub key: String,
    /// Whether it may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// The text is no list of variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnv {
    /// Not JSON, or JSON of another shape.
    #[error("not a JSON list of environment variables: {0}")]
    Shape(String),
    /// A variable that the API server would reject, and the pod with it.
    #[error("an environment variable needs a name, and a value or one source of it, not both: {0:?}")]
    Variable(String),
}

/// Reads one layer. An empty text is an empty layer.
///
/// # Errors
/// Anything that is not a JSON list of variables that the API server takes.
pub fn parse(text: &str) -> Result<Vec<EnvVar>, InvalidEnv> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let layer: Vec<EnvVar> = serde_json::from_str(text).map_err(|error| InvalidEnv::Shape(error.to_string()))?;
    match layer.iter().find(|variable| !is_valid(variable)) {
        Some(variable) => Err(InvalidEnv::Variable(variable.name.clone())),
        None => Ok(layer),
    }
}

fn is_valid(variable: &EnvVar) -> bool {
    let has_value = variable.value.as_ref().is_some_and(|value| !value.is_empty());
    let sources = variable.value_from.as_ref().map(|source| {
        [
            source.config_map_key_ref.is_some(),
            source.secret_key_ref.is_some(),
            source.field_ref.is_some(),
            source.resource_field_ref.is_some(),
            source.file_key_ref.is_some(),
        ]
        .into_iter()
        .filter(|present| *present)
        .count()
    });
    // A name is printable ASCII without an equals sign (relaxed validation of Kubernetes 1.30 and later).
    let is_name = !variable.name.is_empty() && variable.name.chars().all(|c| matches!(c, ' '..='~') && c != '=');
    is_name && sources.is_none_or(|count| count == 1 && !has_value)
}

/// Lays one list over another: a variable of a known name replaces it in place, also within the
/// upper list, and a new one is appended.
pub fn overlay(base: &mut Vec<EnvVar>, layer: Vec<EnvVar>) {
    for variable in layer {
        match base.iter_mut().find(|present| present.name == variable.name) {
            Some(present) => *present = variable,
            None => base.push(variable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[EnvVar]) -> Vec<(&str, &str)> {
        list.iter().map(|variable| (variable.name.as_str(), variable.value.as_deref().unwrap_or(""))).collect()
    }

    // Acceptance cases 29 and 81.
    #[test]
    fn a_variable_replaces_its_namesake_in_place_and_others_append() {
        let mut env = parse(r#"[{"name":"Z","value":"0"}]"#).unwrap();
        overlay(&mut env, parse(r#"[{"name":"A","value":"1"},{"name":"B","value":"1"}]"#).unwrap());
        overlay(&mut env, parse(r#"[{"name":"B","value":"2"},{"name":"C","value":"2"}]"#).unwrap());
        assert_eq!(names(&env), [("Z", "0"), ("A", "1"), ("B", "2"), ("C", "2")]);
        let mut env = Vec::new();
        overlay(&mut env, parse(r#"[{"name":"D","value":"1"},{"name":"D","value":"2"}]"#).unwrap());
        assert_eq!(names(&env), [("D", "2")]);
    }

    #[test]
    fn unknown_fields_are_dropped_and_references_kept() {
        let text = r#"[{"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"k","x":1}},"y":2}]"#;
        let env = parse(text).unwrap();
        let json = serde_json::to_value(&env).unwrap();
        assert_eq!(json, serde_json::json!([{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]));
    }

    #[test]
    fn a_layer_that_is_no_list_of_variables_is_refused_as_a_whole() {
        for bad in [
            r#"{"name":"A"}"#,
            "- name: A",
            r#"[{"name":"A","value":1}]"#,
            r#"[{"value":"x"}]"#,
            r#"[{"name":""}]"#,
            r#"[{"name":"A=B"}]"#,
            r#"[{"name":"A","value":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]"#,
            r#"[{"name":"A","valueFrom":{}}]"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("[]").unwrap(), []);
    }
}
