//! Protobuf messages as JSON and YAML, in the form that scripts know from existing tools: fields in
//! snake_case as the protocol names them, zero values left out; a oneof under its name in CamelCase,
//! holding an object with the member in CamelCase; enums as numbers, IPv4 addresses as integers, bytes
//! in base64.
//!
//! Invariant: every field of a message is named here, so that a field which the protocol gains fails
//! the build instead of being left out.

mod destination;
mod inbound;
mod outbound;
mod route;
mod value;

use serde_json::{Map, Value};

/// A message, or the value of a field.
pub trait Dump {
    /// Its form.
    fn dump(&self) -> Value;

    /// Whether a field that holds it is left out.
    fn is_zero(&self) -> bool {
        false
    }
}

/// A name and its value, unless that is left out.
fn field(name: &str, value: &impl Dump) -> Option<(String, Value)> {
    (!value.is_zero()).then(|| (name.to_owned(), value.dump()))
}

fn object(fields: Vec<Option<(String, Value)>>) -> Value {
    Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>())
}

/// Implements [`Dump`] for a message: `message!(Type { field, oneof: "Name" })`.
macro_rules! message {
    ($(#[$attribute:meta])* $type:ty { $($field:ident $(: $name:literal)?),* $(,)? }) => {
        impl $crate::diagnostics::dump::Dump for $type {
            $(#[$attribute])*
            fn dump(&self) -> serde_json::Value {
                let Self { $($field),* } = self;
                $crate::diagnostics::dump::object(vec![
                    $($crate::diagnostics::dump::field(
                        [$($name,)? stringify!($field)][0], $field,
                    )),*
                ])
            }
        }
    };
}

/// Implements [`Dump`] for a oneof: `oneof!(Type { Member, Member: "Name" })`.
macro_rules! oneof {
    ($type:ty { $($member:ident $(: $name:literal)?),* $(,)? }) => {
        impl $crate::diagnostics::dump::Dump for $type {
            fn dump(&self) -> serde_json::Value {
                let (name, value) = match self {
                    $(Self::$member(value) =>
                        ([$($name,)? stringify!($member)][0], $crate::diagnostics::dump::Dump::dump(value))),*
                };
                serde_json::json!({ name: value })
            }
        }
    };
}

use {message, oneof};

/// A message as YAML, with sorted keys.
///
/// # Errors
/// When the value has no YAML form.
pub fn yaml(message: &impl Dump) -> anyhow::Result<String> {
    let options = serde_saphyr::ser_options! { compact_list_indent: true, prefer_block_scalars: false };
    let mut text = serde_saphyr::to_string_with_options(&sorted(message.dump()), options)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The value with its keys in order, whatever order maps keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests;
