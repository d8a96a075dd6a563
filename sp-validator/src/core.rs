//! Validation of ServiceProfiles: plain JSON in, a verdict out.
//!
//! Inputs: the object of an admission request, as JSON, possibly missing. Outputs: warnings about
//! what proxies will ignore, or the first rule that the object breaks, worded as existing tools
//! expect it.
//!
//! Invariants: an object that passes is one that serving reads without leaving anything out, but for
//! what a warning names; no object, however large or deep, exhausts the stack.

mod decode;
mod rules;
mod warnings;

pub use self::{
    decode::DecodeError,
    rules::{Rejection, Rule},
};
use serde_json::Value;

/// Judges the object of an admission request; a missing one has an empty name.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(object: Option<&Value>) -> Result<Vec<String>, Rejection> {
    let empty = Value::Object(serde_json::Map::new());
    let object = object.filter(|object| !object.is_null()).unwrap_or(&empty);
    decode::check(object)?;
    rules::check(object)?;
    Ok(warnings::of(object))
}

#[cfg(test)]
mod tests;
