//! Values of templates from JSON, and back.

use gotmpl::Value;
use std::{collections::BTreeMap, sync::Arc};

/// A JSON value as templates see it.
pub fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text.as_str().into()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(from_json).collect()),
        serde_json::Value::Object(map) => {
            let entries: BTreeMap<Arc<str>, Value> =
                map.iter().map(|(key, value)| (key.as_str().into(), from_json(value))).collect();
            Value::Map(Arc::new(entries))
        }
    }
}

/// A value of a template as JSON, with keys in alphabetical order; a function has no JSON form and is null.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::Function(_) => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Int(integer) => (*integer).into(),
        Value::Uint(integer) => (*integer).into(),
        Value::Float(float) => (*float).into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.to_string(), to_json(value))).collect(),
    }
}
