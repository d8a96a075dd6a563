//! Reading of JSON objects field by field, as forgiving as ServiceProfiles have always been.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// A field whose value is of the wrong type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {expected}")]
pub struct WrongType {
    /// Name of the field.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

/// The fields of an object. Names match whatever their case, and `null` means absent.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of `value`, which is the value of `field`.
    ///
    /// # Errors
    /// When it is no object.
    pub fn of(value: &'a Value, field: &'static str) -> Result<Self, WrongType> {
        value.as_object().map(Self).ok_or(WrongType { field, expected: "an object" })
    }

    /// A field that is neither absent nor `null`.
    pub fn get(self, field: &str) -> Option<&'a Value> {
        let exact = self.0.get(field);
        let value = exact.or_else(|| self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(field)).map(|(_, v)| v));
        value.filter(|value| !value.is_null())
    }

    /// A text; numbers and booleans are taken as text.
    ///
    /// # Errors
    /// For a list or an object.
    pub fn text(self, field: &'static str) -> Result<Option<Cow<'a, str>>, WrongType> {
        self.get(field)
            .map(|value| match value {
                Value::String(text) => Ok(Cow::Borrowed(text.as_str())),
                Value::Number(number) => Ok(Cow::Owned(number.to_string())),
                Value::Bool(flag) => Ok(Cow::Borrowed(if *flag { "true" } else { "false" })),
                _ => Err(WrongType { field, expected: "a string" }),
            })
            .transpose()
    }

    /// A list.
    ///
    /// # Errors
    /// For anything else.
    pub fn list(self, field: &'static str) -> Result<Option<&'a [Value]>, WrongType> {
        let list = |value: &'a Value| value.as_array().map(Vec::as_slice);
        self.get(field).map(|value| list(value).ok_or(WrongType { field, expected: "a list" })).transpose()
    }

    /// A boolean; false when absent.
    ///
    /// # Errors
    /// For anything else.
    pub fn flag(self, field: &'static str) -> Result<bool, WrongType> {
        let flag = |value: &Value| value.as_bool().ok_or(WrongType { field, expected: "a boolean" });
        self.get(field).map_or(Ok(false), flag)
    }

    /// An unsigned 32-bit integer; 0 when absent.
    ///
    /// # Errors
    /// For anything else.
    pub fn unsigned(self, field: &'static str) -> Result<u32, WrongType> {
        let wrong = WrongType { field, expected: "an integer from 0 to 4294967295" };
        let Some(value) = self.get(field) else { return Ok(0) };
        let integer =
            value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64));
        integer.and_then(|integer| u32::try_from(integer).ok()).ok_or(wrong)
    }

    /// A 32-bit number; 0 when absent.
    ///
    /// # Errors
    /// For anything else.
    pub fn float(self, field: &'static str) -> Result<f32, WrongType> {
        let Some(value) = self.get(field) else { return Ok(0.0) };
        let number = value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
        number.ok_or(WrongType { field, expected: "a number" })
    }
}
