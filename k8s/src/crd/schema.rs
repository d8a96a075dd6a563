//! Schemas, in the OpenAPI subset that the API server takes for custom resources.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>.

use serde_json::{Map, Value, json};

/// The schema of one value.
#[derive(Clone, Debug)]
pub(super) struct Schema(Map<String, Value>);

impl Schema {
    fn of_type(type_: &str) -> Self {
        Self(Map::new()).with("type", type_)
    }

    pub(super) fn string() -> Self {
        Self::of_type("string")
    }

    pub(super) fn boolean() -> Self {
        Self::of_type("boolean")
    }

    pub(super) fn int32() -> Self {
        Self::of_type("integer").with("format", "int32")
    }

    pub(super) fn int64() -> Self {
        Self::of_type("integer").with("format", "int64")
    }

    pub(super) fn float() -> Self {
        Self::of_type("number").with("format", "float")
    }

    /// A port number.
    pub(super) fn port() -> Self {
        Self::int32().range(1, 65535)
    }

    /// A moment, in RFC 3339.
    pub(super) fn timestamp() -> Self {
        Self::string().with("format", "date-time")
    }

    pub(super) fn int_or_string() -> Self {
        Self(Map::new()).with("x-kubernetes-int-or-string", true)
    }

    /// An object with these fields; others are pruned.
    pub(super) fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        let properties: Map<_, _> = fields.into_iter().map(|(name, field)| (name.to_owned(), field.into())).collect();
        Self::of_type("object").with("properties", properties)
    }

    /// An object whose values are texts.
    pub(super) fn text_map() -> Self {
        Self::of_type("object").with("additionalProperties", Self::string())
    }

    /// An object with any fields, all of which are kept.
    pub(super) fn free_form() -> Self {
        Self::of_type("object").with("x-kubernetes-preserve-unknown-fields", true)
    }

    /// A value of any type.
    pub(super) fn anything() -> Self {
        Self(Map::new()).with("x-kubernetes-preserve-unknown-fields", true)
    }

    pub(super) fn list(items: Self) -> Self {
        Self::of_type("array").with("items", items)
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a description.
    pub(super) fn about(self, description: &str) -> Self {
        self.with("description", description)
    }

    pub(super) fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    pub(super) fn pattern(self, regex: &str) -> Self {
        self.with("pattern", regex)
    }

    pub(super) fn min_length(self, length: u32) -> Self {
        self.with("minLength", length)
    }

    pub(super) fn max_length(self, length: u32) -> Self {
        self.with("maxLength", length)
    }

    pub(super) fn min_items(self, items: u32) -> Self {
        self.with("minItems", items)
    }

    pub(super) fn max_items(self, items: u32) -> Self {
        self.with("maxItems", items)
    }

    pub(super) fn range(self, minimum: i64, maximum: i64) -> Self {
        self.with("minimum", minimum).with("maximum", maximum)
    }

    pub(super) fn one_of<T: Into<Value>, const N: usize>(self, values: [T; N]) -> Self {
        self.with("enum", values.map(Into::into).to_vec())
    }

    pub(super) fn required<const N: usize>(self, fields: [&str; N]) -> Self {
        self.with("required", fields.to_vec())
    }

    /// Demands exactly one of the fields.
    pub(super) fn exactly_one_of<const N: usize>(self, fields: [&str; N]) -> Self {
        let alternatives: Vec<_> = fields.iter().map(|field| json!({"required": [field]})).collect();
        self.with("oneOf", alternatives)
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        Self::Object(schema.0)
    }
}
