//! Runs checks: in order, with retries until one deadline, up to the first fatal failure.

use super::verdict::{Finding, Verdict};
use futures::future::LocalBoxFuture;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Longest time that one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Time between attempts.
const PAUSE: Duration = Duration::from_secs(5);
/// What is shown while a check is retried that keeps its reason to itself.
const WAITING: &str = "waiting for check to complete";

/// How a check looks at its subject.
pub type Run<C> = for<'c> fn(&'c C) -> LocalBoxFuture<'c, Verdict>;

/// A check, as a row of a table.
pub struct Check<C> {
    category: &'static str,
    title: &'static str,
    anchor: &'static str,
    is_fatal: bool,
    is_warning: bool,
    is_retried: bool,
    shows_reason: bool,
    run: Run<C>,
}

impl<C> Check<C> {
    /// A check that is an error when it fails; the others run all the same.
    ///
    /// `anchor` is the place in the page of hints, empty when there is none.
    pub const fn new(category: &'static str, title: &'static str, anchor: &'static str, run: Run<C>) -> Self {
        let (is_fatal, is_warning, is_retried, shows_reason) = (false, false, false, false);
        Self { category, title, anchor, is_fatal, is_warning, is_retried, shows_reason, run }
    }

    /// No later check runs when this one fails.
    pub const fn fatal(self) -> Self {
        Self { is_fatal: true, ..self }
    }

    /// Its failure is a warning.
    pub const fn warning(self) -> Self {
        Self { is_warning: true, ..self }
    }

    /// It is tried again until the deadline.
    pub const fn retried(self) -> Self {
        Self { is_retried: true, ..self }
    }

    /// A terminal shows why it is tried again.
    pub const fn with_reason(self) -> Self {
        Self { shows_reason: true, ..self }
    }

    /// The category that it is shown in.
    #[cfg(test)]
    pub fn category(&self) -> &'static str {
        self.category
    }

    fn entry(&self, outcome: Outcome) -> Entry {
        Entry {
            category: self.category.to_owned(),
            description: self.title.to_owned(),
            hint: (!self.anchor.is_empty()).then(|| format!("{HINTS}{}", self.anchor)),
            outcome,
        }
    }
}

/// Page of hints, up to the anchor.
pub const HINTS: &str = "https://linkerd.io/2/checks/#";

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Passed,
    /// Something is worth knowing.
    Warned(String),
    /// Something is wrong.
    Failed(String),
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Category, under which it is shown.
    pub category: String,
    /// What was checked.
    pub description: String,
    /// Address of a page that helps when the check does not pass.
    pub hint: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What is checked.
pub trait Subject {
    /// Forgets what was read: the next attempt reads it anew.
    fn forget(&mut self);
}

/// Who is told how the checks go.
pub trait Observer {
    /// A check begins, or goes on: what a waiting user may see.
    fn pending(&mut self, text: &str);
    /// A check has ended.
    ///
    /// # Errors
    /// When that cannot be told, which ends the run.
    fn ended(&mut self, entry: Entry) -> anyhow::Result<()>;
}

/// Runs the checks. Returns whether none failed; warnings do not count.
///
/// # Errors
/// When the observer cannot go on.
pub async fn run<C: Subject>(
    checks: impl IntoIterator<Item = Check<C>>,
    subject: &mut C,
    deadline: Instant,
    observer: &mut impl Observer,
) -> anyhow::Result<bool> {
    let mut is_success = true;
    for check in checks {
        observer.pending(check.title);
        let outcome = match attempts(&check, subject, deadline, observer).await {
            Ok(()) => Outcome::Passed,
            Err(Finding::Skipped) => continue,
            Err(Finding::Warning(text)) => Outcome::Warned(text),
            Err(Finding::Error(text)) if check.is_warning => Outcome::Warned(text),
            Err(Finding::Error(text)) => Outcome::Failed(text),
        };
        let has_failed = matches!(outcome, Outcome::Failed(_));
        is_success &= !has_failed;
        observer.ended(check.entry(outcome))?;
        if has_failed && check.is_fatal {
            break;
        }
    }
    Ok(is_success)
}

/// Tries a check until it does not fail, or the deadline is near.
async fn attempts<C: Subject>(
    check: &Check<C>,
    subject: &mut C,
    deadline: Instant,
    observer: &mut impl Observer,
) -> Verdict {
    loop {
        let verdict = timeout(ATTEMPT, (check.run)(subject)).await;
        let verdict = verdict.unwrap_or_else(|_| {
            Err(Finding::Error(format!("the cluster did not answer within {} s", ATTEMPT.as_secs())))
        });
        let Err(Finding::Error(reason)) = &verdict else { return verdict };
        if !check.is_retried || Instant::now() + PAUSE > deadline {
            return verdict;
        }
        observer.pending(if check.shows_reason { reason } else { WAITING });
        sleep(PAUSE).await;
        subject.forget();
    }
}

#[cfg(test)]
mod tests;
