//! JSON Patch (RFC 6902), as far as injection emits it: `add` operations only.

use serde::Serialize;
use serde_json::{Map, Value};

/// A patch, applied in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(Vec<Operation>);

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    op: Add,
    /// Where, a JSON pointer (RFC 6901).
    pub path: String,
    /// What.
    pub value: Value,
}

/// The only kind of operation that is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Add {
    Add,
}

/// An operation that does not fit the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the patch cannot add {path}: its parent is missing or of another type")]
pub struct Misfit {
    path: String,
}

impl Patch {
    /// Adds an operation.
    pub fn add(&mut self, path: impl Into<String>, value: impl Into<Value>) {
        self.0.push(Operation { op: Add::Add, path: path.into(), value: value.into() });
    }

    /// Whether the patch changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The operations, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// The patch as JSON, as an admission response carries it.
    pub fn to_json(&self) -> Value {
        Value::Array(
            self.0
                .iter()
                .map(|operation| {
                    let field = |key: &str, value| (key.to_owned(), value);
                    Value::Object(Map::from_iter([
                        field("op", Value::from("add")),
                        field("path", Value::from(operation.path.as_str())),
                        field("value", operation.value.clone()),
                    ]))
                })
                .collect(),
        )
    }

    /// Applies the patch.
    ///
    /// # Errors
    /// An operation does not fit; the document is then changed in part.
    pub fn apply(&self, document: &mut Value) -> Result<(), Misfit> {
        self.0.iter().try_for_each(|operation| {
            add(document, &operation.path, operation.value.clone())
                .ok_or_else(|| Misfit { path: operation.path.clone() })
        })
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = value;
        return Some(());
    }
    let (parent, key) = path.rsplit_once('/')?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(unescape(key), value)),
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => {
            let is_index = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
            let index = key.parse().ok().filter(|index| is_index && *index <= list.len())?;
            list.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

/// Escapes a key for use in a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied(mut document: Value, operations: &[(&str, Value)]) -> Result<Value, Misfit> {
        let mut patch = Patch::default();
        operations.iter().for_each(|(path, value)| patch.add(*path, value.clone()));
        patch.apply(&mut document).map(|()| document)
    }

    #[test]
    fn operations_add_to_objects_and_lists() {
        let document = json!({"a": [1, 2], "m": {"x/y~z": "old"}});
        let path = format!("/m/{}", escape("x/y~z"));
        let operations = [("/a/0", json!(0)), ("/a/-", json!(3)), ("/b", json!({})), (&path, json!("new"))];
        let expected = json!({"a": [0, 1, 2, 3], "b": {}, "m": {"x/y~z": "new"}});
        assert_eq!(applied(document, &operations).unwrap(), expected);
    }

    #[test]
    fn an_operation_that_does_not_fit_is_an_error() {
        for path in ["/x/y", "/a/3", "/a/01", "/a/b", "a"] {
            assert!(applied(json!({"a": [1, 2]}), &[(path, json!(0))]).is_err(), "{path}");
        }
    }

    #[test]
    fn a_patch_is_json_of_add_operations() {
        let mut patch = Patch::default();
        patch.add("/a", "\"\\\n},]");
        assert_eq!(patch.to_json(), json!([{"op": "add", "path": "/a", "value": "\"\\\n},]"}]));
        assert_eq!(serde_json::to_value(&patch).unwrap(), patch.to_json());
    }
}
