//! Order of objects by their creation.

use jiff::Timestamp;

/// When an object was created. The older one is the lesser; objects without a time come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    is_unknown: bool,
    created: Option<Timestamp>,
}

impl From<Option<Timestamp>> for Age {
    fn from(created: Option<Timestamp>) -> Self {
        Self { is_unknown: created.is_none(), created }
    }
}
