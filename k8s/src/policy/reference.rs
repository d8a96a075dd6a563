//! References to objects of several kinds.

use serde::Deserialize;
use std::fmt;

/// Refers to an object in the namespace of the referring one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub struct LocalReference {
    /// API group; absent or empty for the core group.
    pub group: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl LocalReference {
    /// Whether the reference is to this kind, whatever the case of its letters.
    ///
    /// The core group is called `core`, empty, or nothing at all.
    pub fn is_to(&self, group: &str, kind: &str) -> bool {
        is_group(self.group.as_deref(), group) && self.kind.eq_ignore_ascii_case(kind)
    }

    /// The kind with its group, as in messages: `Kind.group`.
    pub fn canonical_kind(&self) -> String {
        canonical_kind(self.group.as_deref(), &self.kind)
    }
}

/// Refers to an object in any namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Reference {
    /// API group; absent or empty for the core group.
    pub group: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; absent for that of the referring object.
    pub namespace: Option<String>,
}

impl Reference {
    /// Whether the reference is to this kind, whatever the case of its letters.
    pub fn is_to(&self, group: &str, kind: &str) -> bool {
        is_group(self.group.as_deref(), group) && self.kind.eq_ignore_ascii_case(kind)
    }

    /// The namespace referred to, from an object in namespace `own`.
    pub fn namespace_or<'a>(&'a self, own: &'a str) -> &'a str {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(own)
    }

    /// The kind with its group, as in messages: `Kind.group`.
    pub fn canonical_kind(&self) -> String {
        canonical_kind(self.group.as_deref(), &self.kind)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.canonical_kind(), self.name)
    }
}

fn is_group(written: Option<&str>, group: &str) -> bool {
    let named = |group: &'_ str| if group.is_empty() { "core".to_owned() } else { group.to_ascii_lowercase() };
    named(written.unwrap_or_default()) == named(group)
}

fn canonical_kind(group: Option<&str>, kind: &str) -> String {
    match group {
        Some(group) if !group.is_empty() => format!("{kind}.{group}"),
        _ => kind.to_owned(),
    }
}
