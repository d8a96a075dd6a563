//! Log lines in the form that readers of this program's output know.

use jiff::Timestamp;
use std::{
    io::{self, Write},
    str::FromStr,
    sync::{Mutex, PoisonError},
};

/// How severe a line is, the severest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Levels that this program does not use itself.
    Fatal,
    /// The program cannot go on.
    Error,
    /// The program goes on, perhaps not as wished.
    Warn,
    /// What is done.
    Info,
    /// More than that.
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A text that is no level.
#[derive(Debug, thiserror::Error)]
#[error("not a valid logrus Level: {0:?}")]
pub struct InvalidLevel(String);

impl FromStr for Level {
    type Err = InvalidLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        match text.to_ascii_lowercase().as_str() {
            "panic" | "fatal" => Ok(Self::Fatal),
            "error" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" | "trace" => Ok(Self::Debug),
            _ => Err(InvalidLevel(text.to_owned())),
        }
    }
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `time=".." level=info msg=".."`.
    Plain,
    /// One JSON object on each line.
    Json,
}

impl From<&str> for Format {
    fn from(text: &str) -> Self {
        if text == "json" { Self::Json } else { Self::Plain }
    }
}

/// Where log lines go.
pub struct Log {
    least: Level,
    format: Format,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Log {
    /// Logs to standard output.
    pub fn stdout(least: Level, format: Format) -> Self {
        Self { least, format, out: Mutex::new(Box::new(io::stdout())) }
    }

    /// Logs what is done.
    pub fn info(&self, message: &str) {
        self.entry(Level::Info, message, &[]);
    }

    /// Logs what may not be as wished, with fields.
    pub fn warn(&self, message: &str, fields: &[(&str, &str)]) {
        self.entry(Level::Warn, message, fields);
    }

    /// Logs why the program cannot go on.
    pub fn error(&self, message: &str) {
        self.entry(Level::Error, message, &[]);
    }

    fn entry(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        if level <= self.least {
            let line = line(self.format, level, message, fields, Timestamp::now());
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody may be reading; that must not keep the rules from being made.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// One line, whatever the message holds.
fn line(format: Format, level: Level, message: &str, fields: &[(&str, &str)], time: Timestamp) -> String {
    let time = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    match format {
        Format::Plain => {
            let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
            format!("time={time:?} level={} msg={message:?}{fields}", level.name())
        }
        Format::Json => {
            let entries = [("level", level.name()), ("msg", message), ("time", time.as_str())];
            let entries = fields.iter().copied().chain(entries);
            serde_json::Value::Object(entries.map(|(name, value)| (name.to_owned(), value.into())).collect())
                .to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_in_either_form() {
        let told = |format| line(format, Level::Warn, "a\n\"b\"", &[("requested", "x")], Timestamp::UNIX_EPOCH);
        assert_eq!(told(Format::Plain), r#"time="1970-01-01T00:00:00Z" level=warning msg="a\n\"b\"" requested="x""#);
        assert_eq!(
            told(Format::Json),
            r#"{"level":"warning","msg":"a\n\"b\"","requested":"x","time":"1970-01-01T00:00:00Z"}"#
        );
    }

    // case 42
    #[test]
    fn levels_are_taken_in_any_case() {
        assert_eq!("INFO".parse::<Level>().unwrap(), Level::Info);
        assert_eq!("Warning".parse::<Level>().unwrap(), Level::Warn);
        assert_eq!("foo".parse::<Level>().unwrap_err().to_string(), r#"not a valid logrus Level: "foo""#);
        assert!(Level::Error < Level::Info);
    }
}
