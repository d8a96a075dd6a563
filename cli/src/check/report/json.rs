//! The report as JSON.

use crate::check::engine::{Entry, Outcome};
use serde::{Deserialize, Serialize};

/// A report that grows entry by entry.
#[derive(Debug, Default)]
pub struct JsonReport(Vec<Category>);

/// The whole report.
#[derive(Debug, Deserialize, Serialize)]
pub struct Document {
    success: bool,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    category_name: String,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Check {
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    result: Kind,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Success,
    Warning,
    Error,
}

impl JsonReport {
    /// Adds an entry.
    pub fn add(&mut self, entry: Entry) {
        let (result, error) = match entry.outcome {
            Outcome::Passed => (Kind::Success, None),
            Outcome::Warned(reason) => (Kind::Warning, Some(reason)),
            Outcome::Failed(reason) => (Kind::Error, Some(reason)),
        };
        let hint = entry.hint.filter(|_| error.is_some());
        let check = Check { description: entry.description, hint, error, result };
        match self.0.last_mut().filter(|last| last.category_name == entry.category) {
            Some(last) => last.checks.push(check),
            None => self.0.push(Category { category_name: entry.category, checks: vec![check] }),
        }
    }

    /// The whole report.
    pub fn finish(self, success: bool) -> Document {
        Document { success, categories: self.0 }
    }
}

/// The report of an extension.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Whether none of its checks failed.
    pub is_success: bool,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// Reads a report.
///
/// # Errors
/// When the text is no report.
pub fn parse(text: &[u8]) -> serde_json::Result<Parsed> {
    let document: Document = serde_json::from_slice(text)?;
    let entries: Vec<Entry> = document
        .categories
        .into_iter()
        .flat_map(|Category { category_name, checks }| {
            checks.into_iter().map(move |check| check.into_entry(category_name.clone()))
        })
        .collect();
    let has_failed = entries.iter().any(|entry| matches!(entry.outcome, Outcome::Failed(_)));
    Ok(Parsed { is_success: document.success && !has_failed, entries })
}

impl Check {
    fn into_entry(self, category: String) -> Entry {
        let reason = self.error.unwrap_or_default();
        let outcome = match self.result {
            Kind::Success => Outcome::Passed,
            Kind::Warning => Outcome::Warned(reason),
            Kind::Error => Outcome::Failed(reason),
        };
        Entry { category, description: self.description, hint: self.hint, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output;

    fn entry(category: &str, description: &str, outcome: Outcome) -> Entry {
        let hint = Some("https://example.org/#a".to_owned());
        Entry { category: category.to_owned(), description: description.to_owned(), hint, outcome }
    }

    // Acceptance cases 38 of installation and 41 of the command line.
    #[test]
    fn a_report_has_hints_and_errors_where_a_check_does_not_pass() {
        let mut report = JsonReport::default();
        report.add(entry("one", "a", Outcome::Passed));
        report.add(entry("one", "b", Outcome::Failed("wrong".to_owned())));
        report.add(entry("two", "c", Outcome::Warned("odd".to_owned())));
        let text = output::json(&report.finish(false)).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "success": false,
          "categories": [
            {
              "categoryName": "one",
              "checks": [
                {
                  "description": "a",
                  "result": "success"
                },
                {
                  "description": "b",
                  "hint": "https://example.org/#a",
                  "error": "wrong",
                  "result": "error"
                }
              ]
            },
            {
              "categoryName": "two",
              "checks": [
                {
                  "description": "c",
                  "hint": "https://example.org/#a",
                  "error": "odd",
                  "result": "warning"
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let entries = [
            Entry { hint: None, ..entry("one", "a", Outcome::Passed) },
            entry("one", "b", Outcome::Warned("odd".to_owned())),
        ];
        let mut report = JsonReport::default();
        entries.clone().into_iter().for_each(|entry| report.add(entry));
        let text = output::json(&report.finish(true)).unwrap();
        assert_eq!(parse(text.as_bytes()).unwrap(), Parsed { is_success: true, entries: entries.to_vec() });
        assert!(parse(b"no JSON").is_err());
    }

    #[test]
    fn a_report_with_an_error_is_no_success_whatever_it_says() {
        let text = r#"{"success": true, "categories": [{"categoryName": "c", "checks": [
            {"description": "d", "error": "e", "result": "error"}]}]}"#;
        assert!(!parse(text.as_bytes()).unwrap().is_success);
    }
}
