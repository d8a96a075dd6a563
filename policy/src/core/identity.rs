//! Which mesh identities a client may have.

use std::{convert::Infallible, str::FromStr};

/// Matches mesh identities.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityMatch {
    /// This identity.
    Exact(String),
    /// Identities that end in these labels; all identities when there are none.
    Suffix(Vec<String>),
}

impl IdentityMatch {
    /// Any identity at all.
    pub const fn any() -> Self {
        Self::Suffix(Vec::new())
    }
}

/// `*` is any identity, `*.a.b` those that end in `.a.b`, and any other text is an identity.
impl FromStr for IdentityMatch {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "*" {
            return Ok(Self::any());
        }
        Ok(match text.strip_prefix("*.") {
            Some(suffix) => Self::Suffix(suffix.split('.').map(str::to_owned).collect()),
            None => Self::Exact(text.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_star_label_is_a_wildcard_and_nothing_else_is() {
        let suffix = |labels: &[&str]| IdentityMatch::Suffix(labels.iter().map(|&label| label.to_owned()).collect());
        let parse = |text: &str| text.parse::<IdentityMatch>().unwrap();
        assert_eq!(parse("*"), suffix(&[]));
        assert_eq!(parse("*.foo.bar"), suffix(&["foo", "bar"]));
        for exact in ["a.b", "**.x", "a.*.b", "spiffe://td/web", "*x"] {
            assert_eq!(parse(exact), IdentityMatch::Exact(exact.to_owned()));
        }
    }
}
