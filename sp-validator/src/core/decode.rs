//! Strict decoding: unknown fields and wrong types, in the words of Go's JSON decoder.
//!
//! The words are part of the behaviour: people and tools look for them in the output of `kubectl`.

use linkerd_k8s::quantity::{InvalidQuantity, parse_thousandths};
use serde_json::{Map, Number, Value};

/// Why an object cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field that does not exist.
    #[error("json: unknown field {0:?}")]
    UnknownField(String),
    /// A value of the wrong type.
    #[error("json: cannot unmarshal {found} into Go {place} of type {expected}")]
    WrongType {
        /// Kind of the value, with its text for numbers out of range.
        found: String,
        /// Struct and path of the field.
        place: String,
        /// Type of the field.
        expected: String,
    },
    /// A weight that is no quantity.
    #[error(transparent)]
    Quantity(#[from] InvalidQuantity),
}

/// Type of a field.
#[derive(Clone, Copy)]
enum Type {
    /// Text; numbers and booleans are taken as text.
    Text,
    Bool,
    Uint32,
    Float32,
    Quantity,
    /// Anything, unread.
    Any,
    Object(&'static Object),
    List(&'static Object),
}

/// Type of an object.
struct Object {
    name: &'static str,
    /// Go's name of the package of the type.
    package: &'static str,
    fields: &'static [(&'static str, Type)],
    /// Whether fields that are not listed are accepted.
    is_open: bool,
}

const fn object(name: &'static str, fields: &'static [(&'static str, Type)]) -> Object {
    Object { name, package: "v1alpha2", fields, is_open: false }
}

static SERVICE_PROFILE: Object = object(
    "ServiceProfile",
    &[("apiVersion", Type::Any), ("kind", Type::Any), ("metadata", Type::Object(&META)), ("spec", Type::Object(&SPEC))],
);

// A newer API server may know more metadata than this list.
static META: Object = Object {
    name: "ObjectMeta",
    package: "v1",
    fields: &[("name", Type::Text), ("namespace", Type::Text)],
    is_open: true,
};

static SPEC: Object = object(
    "ServiceProfileSpec",
    &[
        ("routes", Type::List(&ROUTE)),
        ("retryBudget", Type::Object(&RETRY_BUDGET)),
        ("dstOverrides", Type::List(&DST_OVERRIDE)),
        ("opaquePorts", Type::Any),
    ],
);

static ROUTE: Object = object(
    "RouteSpec",
    &[
        ("name", Type::Text),
        ("condition", Type::Object(&REQUEST_MATCH)),
        ("isRetryable", Type::Bool),
        ("timeout", Type::Text),
        ("responseClasses", Type::List(&RESPONSE_CLASS)),
    ],
);

static REQUEST_MATCH: Object = object(
    "RequestMatch",
    &[
        ("all", Type::List(&REQUEST_MATCH)),
        ("any", Type::List(&REQUEST_MATCH)),
        ("not", Type::Object(&REQUEST_MATCH)),
        ("method", Type::Text),
        ("pathRegex", Type::Text),
    ],
);

static RESPONSE_CLASS: Object =
    object("ResponseClass", &[("condition", Type::Object(&RESPONSE_MATCH)), ("isFailure", Type::Bool)]);

static RESPONSE_MATCH: Object = object(
    "ResponseMatch",
    &[
        ("all", Type::List(&RESPONSE_MATCH)),
        ("any", Type::List(&RESPONSE_MATCH)),
        ("not", Type::Object(&RESPONSE_MATCH)),
        ("status", Type::Object(&RANGE)),
    ],
);

static RANGE: Object = object("Range", &[("min", Type::Uint32), ("max", Type::Uint32)]);

static RETRY_BUDGET: Object =
    object("RetryBudget", &[("retryRatio", Type::Float32), ("minRetriesPerSecond", Type::Uint32), ("ttl", Type::Text)]);

static DST_OVERRIDE: Object = object("WeightedDst", &[("authority", Type::Text), ("weight", Type::Quantity)]);

/// Checks every field of a ServiceProfile.
pub(super) fn check(object: &Value) -> Result<(), DecodeError> {
    Walk { parent: None, path: Vec::new() }.value(object, Type::Object(&SERVICE_PROFILE))
}

/// Where the walk through an object is.
struct Walk {
    parent: Option<&'static str>,
    path: Vec<&'static str>,
}

impl Walk {
    fn value(&mut self, value: &Value, type_: Type) -> Result<(), DecodeError> {
        match (type_, value) {
            (_, Value::Null)
            | (Type::Any, _)
            | (Type::Text, Value::String(_) | Value::Number(_) | Value::Bool(_))
            | (Type::Bool, Value::Bool(_)) => Ok(()),
            (Type::Uint32, Value::Number(number)) if is_uint32(number) => Ok(()),
            (Type::Float32, Value::Number(number)) if is_float32(number) => Ok(()),
            (Type::Uint32 | Type::Float32, Value::Number(number)) => {
                Err(self.wrong_type(format!("number {number}"), type_))
            }
            (Type::Quantity, Value::String(text)) => Ok(parse_thousandths(text).map(drop)?),
            (Type::Quantity, other) => Ok(parse_thousandths(&other.to_string()).map(drop)?),
            (Type::Object(object), Value::Object(fields)) => self.fields(fields, object),
            (Type::List(object), Value::Array(items)) => {
                items.iter().try_for_each(|item| self.value(item, Type::Object(object)))
            }
            (_, other) => Err(self.wrong_type(kind(other).to_owned(), type_)),
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>, object: &'static Object) -> Result<(), DecodeError> {
        let parent = self.parent.replace(object.name);
        // Of several mistakes, the one reported does not depend on the order of the fields.
        let mut names: Vec<_> = fields.iter().collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in names {
            let known = object.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            match known {
                Some((known, type_)) => {
                    self.path.push(known);
                    self.value(value, *type_)?;
                    self.path.pop();
                }
                None if object.is_open => {}
                None => return Err(DecodeError::UnknownField(name.clone())),
            }
        }
        self.parent = parent;
        Ok(())
    }

    fn wrong_type(&self, found: String, type_: Type) -> DecodeError {
        let place = match self.parent {
            Some(parent) => format!("struct field {parent}.{}", self.path.join(".")),
            None => "value".to_owned(),
        };
        DecodeError::WrongType { found, place, expected: go_name(type_) }
    }
}

fn is_uint32(number: &Number) -> bool {
    let value = number.as_f64().unwrap_or(-1.0);
    value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value)
}

fn is_float32(number: &Number) -> bool {
    number.as_f64().is_some_and(|value| (value as f32).is_finite())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_name(type_: Type) -> String {
    match type_ {
        Type::Text => "string".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Uint32 => "uint32".to_owned(),
        Type::Float32 => "float32".to_owned(),
        Type::Quantity => "resource.Quantity".to_owned(),
        Type::Any => "interface {}".to_owned(),
        Type::Object(object) => format!("{}.{}", object.package, object.name),
        Type::List(object) => format!("[]*{}.{}", object.package, object.name),
    }
}
