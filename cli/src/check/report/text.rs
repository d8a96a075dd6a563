//! The report as text.

use crate::{
    check::engine::{Entry, Outcome},
    colours::Colours,
};

const PASSED: char = '\u{221a}';
const WARNED: char = '\u{203c}';
const FAILED: char = '\u{d7}';

/// A report that grows entry by entry.
pub struct TextReport {
    is_short: bool,
    /// The category whose head was written last.
    category: Option<String>,
}

impl TextReport {
    /// An empty report; a short one leaves out what passes.
    pub fn new(is_short: bool) -> Self {
        Self { is_short, category: None }
    }

    /// What a further entry adds to the text.
    pub fn add(&mut self, entry: &Entry) -> String {
        let (symbol, reason) = match &entry.outcome {
            Outcome::Passed if self.is_short => return String::new(),
            Outcome::Passed => (PASSED, None),
            Outcome::Warned(reason) => (WARNED, Some(reason)),
            Outcome::Failed(reason) => (FAILED, Some(reason)),
        };
        let mut text = self.head(&entry.category);
        text.push_str(&format!("{symbol} {}\n", entry.description));
        if let Some(reason) = reason {
            text.extend(reason.trim_end().lines().map(indented));
            if let Some(hint) = &entry.hint {
                text.push_str(&format!("    see {hint} for hints\n"));
            }
        }
        text
    }

    /// The head of a category, when another one was before.
    fn head(&mut self, category: &str) -> String {
        if self.category.as_deref() == Some(category) {
            return String::new();
        }
        let separator = if self.category.replace(category.to_owned()).is_some() { "\n" } else { "" };
        format!("{separator}{category}\n{}\n", "-".repeat(category.chars().count()))
    }

    /// The end of the text.
    pub fn finish(self, is_success: bool, colours: Colours) -> String {
        let separator = if self.category.is_some() { "\n" } else { "" };
        let symbol = colours.symbols(&String::from(if is_success { PASSED } else { FAILED }));
        format!("{separator}Status check results are {symbol}\n")
    }
}

/// A line of a reason; those of lists have their own indentation.
fn indented(line: &str) -> String {
    if line.starts_with(char::is_whitespace) { format!("{line}\n") } else { format!("    {line}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(category: &str, description: &str, outcome: Outcome) -> Entry {
        let hint = Some(format!("https://example.org/#{description}"));
        Entry { category: category.to_owned(), description: description.to_owned(), hint, outcome }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry("category", "check1", Outcome::Passed),
            entry("category", "check2", Outcome::Failed("several:\n\t* a\n\t* b\nso mend them".to_owned())),
            entry("other", "check3", Outcome::Passed),
            entry("third", "check4", Outcome::Warned("odd".to_owned())),
            Entry { hint: None, ..entry("third", "check5", Outcome::Failed("wrong".to_owned())) },
        ]
    }

    fn report(is_short: bool, entries: &[Entry], is_success: bool) -> String {
        let mut report = TextReport::new(is_short);
        let text: String = entries.iter().map(|entry| report.add(entry)).collect();
        // Tests run without a terminal, so without colours.
        text + &report.finish(is_success, Colours::of_process())
    }

    // Acceptance case 38 of installation.
    #[test]
    fn a_table_has_everything_below_the_heads_of_categories() {
        insta::assert_snapshot!(report(false, &entries(), false), @r"
        category
        --------
        √ check1
        × check2
            several:
        	* a
        	* b
            so mend them
            see https://example.org/#check2 for hints

        other
        -----
        √ check3

        third
        -----
        ‼ check4
            odd
            see https://example.org/#check4 for hints
        × check5
            wrong

        Status check results are ×
        ");
    }

    #[test]
    fn a_short_report_has_what_does_not_pass() {
        insta::assert_snapshot!(report(true, &entries(), false), @r"
        category
        --------
        × check2
            several:
        	* a
        	* b
            so mend them
            see https://example.org/#check2 for hints

        third
        -----
        ‼ check4
            odd
            see https://example.org/#check4 for hints
        × check5
            wrong

        Status check results are ×
        ");
    }

    // Acceptance case 40 of the command line.
    #[test]
    fn a_short_report_of_success_is_one_line() {
        let passed = [entry("category", "check1", Outcome::Passed)];
        assert_eq!(report(true, &passed, true), "Status check results are \u{221a}\n");
    }
}
