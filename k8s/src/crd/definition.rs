//! A definition: the names of a kind and its versions.

use super::schema::Schema;
use serde_json::{Value, json};

/// A kind of custom resource. All are namespaced.
pub(super) struct Definition {
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) short_names: &'static [&'static str],
    pub(super) categories: &'static [&'static str],
    /// Versions, oldest first; the last one is stored.
    pub(super) versions: Vec<Version>,
}

/// A version of a kind.
pub(super) struct Version {
    pub(super) name: &'static str,
    /// Version to use instead, when this one is deprecated.
    pub(super) superseded_by: Option<&'static str>,
    pub(super) about: &'static str,
    pub(super) spec: Schema,
    pub(super) is_spec_required: bool,
    /// Schema of the status, which is then a subresource.
    pub(super) status: Option<Schema>,
    pub(super) columns: Vec<Column>,
}

impl Version {
    pub(super) fn new(name: &'static str, about: &'static str, spec: Schema) -> Self {
        Self { name, superseded_by: None, about, spec, is_spec_required: true, status: None, columns: Vec::new() }
    }
}

/// A column of `kubectl get`.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) type_: &'static str,
    pub(super) path: &'static str,
}

impl Column {
    pub(super) const fn text(name: &'static str, path: &'static str, about: &'static str) -> Self {
        Self { name, about, type_: "string", path }
    }

    pub(super) const fn integer(name: &'static str, path: &'static str, about: &'static str) -> Self {
        Self { name, about, type_: "integer", path }
    }

    pub(super) const fn age() -> Self {
        Self {
            name: "Age",
            about: "Time since the object was made",
            type_: "date",
            path: ".metadata.creationTimestamp",
        }
    }
}

impl Definition {
    /// The definition as the API server takes it.
    pub(super) fn to_object(&self) -> Value {
        let stored = self.versions.len().saturating_sub(1);
        let versions: Vec<_> = self.versions.iter().enumerate().map(|(i, v)| self.version(v, i == stored)).collect();
        let mut names = json!({
            "kind": self.kind,
            "listKind": format!("{}List", self.kind),
            "plural": self.plural,
            "singular": self.kind.to_lowercase(),
        });
        if !self.short_names.is_empty() {
            names["shortNames"] = json!(self.short_names);
        }
        if !self.categories.is_empty() {
            names["categories"] = json!(self.categories);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, self.group)},
            "spec": {"group": self.group, "names": names, "scope": "Namespaced", "versions": versions},
        })
    }

    fn version(&self, version: &Version, is_stored: bool) -> Value {
        let mut object = json!({
            "name": version.name,
            "served": true,
            "storage": is_stored,
            "schema": {"openAPIV3Schema": root(version)},
        });
        if let Some(successor) = version.superseded_by {
            let (group, kind, name) = (self.group, self.kind, version.name);
            object["deprecated"] = true.into();
            object["deprecationWarning"] =
                format!("{group}/{name} {kind} is deprecated; use {group}/{successor} {kind}").into();
        }
        if version.status.is_some() {
            object["subresources"] = json!({"status": {}});
        }
        if !version.columns.is_empty() {
            object["additionalPrinterColumns"] = version.columns.iter().map(column).collect();
        }
        object
    }
}

fn root(version: &Version) -> Value {
    let mut root = json!({
        "description": version.about,
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": Value::from(version.spec.clone()),
        },
    });
    if version.is_spec_required {
        root["required"] = json!(["spec"]);
    }
    if let Some(status) = &version.status {
        root["properties"]["status"] = status.clone().into();
    }
    root
}

fn column(column: &Column) -> Value {
    json!({"name": column.name, "description": column.about, "type": column.type_, "jsonPath": column.path})
}
