//! The report of a run: as text while it goes, or as JSON at its end.

mod json;
mod progress;
mod text;

pub use json::{JsonReport, Parsed, parse};

use super::engine::{Entry, Observer};
use crate::{colours::Colours, output};
use progress::Progress;
use text::TextReport;

/// Form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Everything, below the heads of categories.
    Table,
    /// What does not pass.
    Short,
    /// An object.
    Json,
}

impl Form {
    /// The form of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "table" => Some(Self::Table),
            "short" => Some(Self::Short),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Writes the report to standard output.
pub struct Reporter {
    report: Report,
    progress: Progress,
}

enum Report {
    Text(TextReport, Colours),
    Json(JsonReport),
}

impl Reporter {
    /// An empty report.
    pub fn new(form: Form) -> Self {
        let text = |is_short| Report::Text(TextReport::new(is_short), Colours::of_process());
        let report = match form {
            Form::Table => text(false),
            Form::Short => text(true),
            Form::Json => Report::Json(JsonReport::default()),
        };
        Self { report, progress: Progress::new() }
    }

    /// Ends the report.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn finish(mut self, is_success: bool) -> anyhow::Result<()> {
        self.progress.clear();
        match self.report {
            Report::Text(text, colours) => output::print(&text.finish(is_success, colours)),
            Report::Json(json) => output::print(&output::json(&json.finish(is_success))?),
        }
    }
}

impl Observer for Reporter {
    fn pending(&mut self, text: &str) {
        self.progress.show(text);
    }

    fn ended(&mut self, entry: Entry) -> anyhow::Result<()> {
        match &mut self.report {
            Report::Text(text, colours) => {
                let text = text.add(&entry);
                if !text.is_empty() {
                    self.progress.clear();
                    output::print(&colours.symbols(&text))?;
                }
            }
            Report::Json(json) => json.add(entry),
        }
        Ok(())
    }
}
