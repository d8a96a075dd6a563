//! What a check finds.

/// Why a check does not simply pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There is nothing to check here: the check is not shown.
    Skipped,
    /// Worth knowing, though nothing fails, or the check could not tell.
    Warning(String),
    /// Something is wrong, and how to mend it.
    Error(String),
}

/// What a check returns: that all is well, or what it finds.
pub type Verdict = Result<(), Finding>;

impl Finding {
    /// Something is wrong.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }
}

impl From<anyhow::Error> for Finding {
    fn from(error: anyhow::Error) -> Self {
        Self::Error(format!("{error:#}"))
    }
}

/// Passes when there are no lines; else they are listed below a heading.
///
/// # Errors
/// When there are lines.
pub fn none_of(heading: &str, lines: impl IntoIterator<Item = String>) -> Verdict {
    let lines: String = lines.into_iter().map(|line| format!("\n\t* {line}")).collect();
    if lines.is_empty() { Ok(()) } else { Err(Finding::Error(format!("{heading}{lines}"))) }
}

/// Passes when the condition holds.
///
/// # Errors
/// When it does not.
pub fn ensure(condition: bool, text: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Finding::Error(text())) }
}

/// Goes on when there is something to check.
///
/// # Errors
/// When there is not.
pub fn only_if(condition: bool) -> Verdict {
    if condition { Ok(()) } else { Err(Finding::Skipped) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_listed_below_their_heading() {
        assert_eq!(none_of("bad:", []), Ok(()));
        let found = none_of("bad:", ["a".to_owned(), "b".to_owned()]);
        assert_eq!(found, Err(Finding::error("bad:\n\t* a\n\t* b")));
    }
}
