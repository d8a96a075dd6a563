//! Conditions of routes and response classes.

use super::fields::{Fields, WrongType};
use serde_json::Value;

/// Deepest tree of conditions that is read, so that a hostile object cannot exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// Deepest tree that proxies decode, in nested protobuf messages.
///
/// Their decoder refuses a message with more than 100 levels, and with it the whole profile; the
/// levels above a condition take up to four of them.
pub const MAX_SERVED_NESTING: usize = 96;

/// Why a condition is invalid, in the words of admission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMatch {
    /// A child of `all` or `any` is null.
    #[error("null condition {0:?}")]
    NullCondition(&'static str),
    /// A condition on requests says nothing.
    #[error("A request match must have a field set")]
    EmptyRequest,
    /// A condition on responses says nothing.
    #[error("A response match must have a field set")]
    EmptyResponse,
    /// The lower bound of a range is no HTTP status.
    #[error("Range minimum must be between 100 and 599, inclusive")]
    Minimum,
    /// The upper bound of a range is no HTTP status.
    #[error("Range maximum must be between 100 and 599, inclusive")]
    Maximum,
    /// The bounds of a range are swapped.
    #[error("Range maximum cannot be smaller than minimum")]
    Order,
    /// The tree is too deep.
    #[error("conditions are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A field has the wrong type.
    #[error(transparent)]
    WrongType(#[from] WrongType),
}

/// A condition on requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestMatch {
    /// Every child holds; with no child, always.
    All(Vec<RequestMatch>),
    /// At least one child holds.
    Any(Vec<RequestMatch>),
    /// The child does not hold.
    Not(Box<RequestMatch>),
    /// The method, as written.
    Method(String),
    /// The path matches this regular expression, as written.
    PathRegex(String),
}

/// A condition on responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseMatch {
    /// Every child holds; with no child, always.
    All(Vec<ResponseMatch>),
    /// At least one child holds.
    Any(Vec<ResponseMatch>),
    /// The child does not hold.
    Not(Box<ResponseMatch>),
    /// The status is in this range.
    Status(StatusRange),
}

impl RequestMatch {
    /// Reads a condition. Fields that are set must all hold.
    ///
    /// # Errors
    /// The first mistake, depth first.
    pub fn read(value: &Value) -> Result<Self, InvalidMatch> {
        Self::read_at(value, "condition", 1)
    }

    fn read_at(value: &Value, field: &'static str, depth: usize) -> Result<Self, InvalidMatch> {
        let fields = condition_fields(value, field, depth)?;
        let mut set = Vec::new();
        if let Some(children) = fields.list("all")? {
            set.push(Self::All(read_children(children, "all", depth, Self::read_at)?));
        }
        if let Some(children) = fields.list("any")? {
            set.push(Self::Any(read_children(children, "any", depth, Self::read_at)?));
        }
        if let Some(method) = fields.text("method")?.filter(|method| !method.is_empty()) {
            set.push(Self::Method(method.into_owned()));
        }
        if let Some(child) = fields.get("not") {
            set.push(Self::Not(Box::new(Self::read_at(child, "not", depth + 1)?)));
        }
        if let Some(regex) = fields.text("pathRegex")?.filter(|regex| !regex.is_empty()) {
            set.push(Self::PathRegex(regex.into_owned()));
        }
        join(set, Self::All).ok_or(InvalidMatch::EmptyRequest)
    }

    /// Nested protobuf messages that this condition takes on the wire.
    pub fn nesting(&self) -> usize {
        match self {
            Self::All(children) | Self::Any(children) => 2 + deepest(children.iter().map(Self::nesting)),
            Self::Not(child) => 1 + child.nesting(),
            Self::Method(_) | Self::PathRegex(_) => 2,
        }
    }
}

impl ResponseMatch {
    /// Reads a condition. Fields that are set must all hold.
    ///
    /// # Errors
    /// The first mistake, depth first.
    pub fn read(value: &Value) -> Result<Self, InvalidMatch> {
        Self::read_at(value, "condition", 1)
    }

    fn read_at(value: &Value, field: &'static str, depth: usize) -> Result<Self, InvalidMatch> {
        let fields = condition_fields(value, field, depth)?;
        let mut set = Vec::new();
        if let Some(children) = fields.list("all")? {
            set.push(Self::All(read_children(children, "all", depth, Self::read_at)?));
        }
        if let Some(children) = fields.list("any")? {
            set.push(Self::Any(read_children(children, "any", depth, Self::read_at)?));
        }
        if let Some(range) = fields.get("status") {
            set.push(Self::Status(StatusRange::read(range)?));
        }
        if let Some(child) = fields.get("not") {
            set.push(Self::Not(Box::new(Self::read_at(child, "not", depth + 1)?)));
        }
        join(set, Self::All).ok_or(InvalidMatch::EmptyResponse)
    }

    /// Nested protobuf messages that this condition takes on the wire.
    pub fn nesting(&self) -> usize {
        match self {
            Self::All(children) | Self::Any(children) => 2 + deepest(children.iter().map(Self::nesting)),
            Self::Not(child) => 1 + child.nesting(),
            Self::Status(_) => 2,
        }
    }
}

/// A range of HTTP statuses, as written: a bound of 0 is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    min: u32,
    max: u32,
}

impl StatusRange {
    fn read(value: &Value) -> Result<Self, InvalidMatch> {
        let fields = Fields::of(value, "status")?;
        let (min, max) = (fields.unsigned("min")?, fields.unsigned("max")?);
        let is_status = |code: u32| (100..=599).contains(&code);
        match () {
            () if min != 0 && !is_status(min) => Err(InvalidMatch::Minimum),
            () if max != 0 && !is_status(max) => Err(InvalidMatch::Maximum),
            () if min != 0 && max != 0 && max < min => Err(InvalidMatch::Order),
            () => Ok(Self { min, max }),
        }
    }

    /// Both bounds, inclusive. With one bound missing the range is the other one alone; with both
    /// missing it is 0 to 0, which no response has.
    pub fn bounds(self) -> (u32, u32) {
        if self.min == 0 || self.max == 0 {
            (self.min.max(self.max), self.min.max(self.max))
        } else {
            (self.min, self.max)
        }
    }

    /// Whether exactly one bound is missing.
    pub fn is_one_sided(self) -> bool {
        (self.min == 0) != (self.max == 0)
    }

    /// Whether both bounds are missing.
    pub fn is_empty(self) -> bool {
        self.min == 0 && self.max == 0
    }
}

fn condition_fields<'a>(value: &'a Value, field: &'static str, depth: usize) -> Result<Fields<'a>, InvalidMatch> {
    if depth > MAX_DEPTH {
        return Err(InvalidMatch::TooDeep);
    }
    Ok(Fields::of(value, field)?)
}

fn read_children<T>(
    children: &[Value],
    field: &'static str,
    depth: usize,
    read: impl Fn(&Value, &'static str, usize) -> Result<T, InvalidMatch>,
) -> Result<Vec<T>, InvalidMatch> {
    let read_child = |child: &Value| match child {
        Value::Null => Err(InvalidMatch::NullCondition(field)),
        child => read(child, field, depth + 1),
    };
    children.iter().map(read_child).collect()
}

fn join<T>(mut set: Vec<T>, all: impl Fn(Vec<T>) -> T) -> Option<T> {
    if set.len() > 1 { Some(all(set)) } else { set.pop() }
}

fn deepest(depths: impl Iterator<Item = usize>) -> usize {
    depths.max().unwrap_or(0)
}
