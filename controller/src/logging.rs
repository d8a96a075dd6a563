//! Logging to standard error, whose level can be changed while the process runs.

use std::{io::IsTerminal, str::FromStr};
use tracing_subscriber::{EnvFilter, Registry, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    #[default]
    Plain,
    /// One JSON object on each line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "plain" => Ok(Self::Plain),
            "json" => Ok(Self::Json),
            _ => Err("use plain or json".to_owned()),
        }
    }
}

/// A level or filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "invalid log-level: {text}; use panic, fatal, error, warn, info, debug, trace or a filter such as linkerd=debug,warn"
)]
pub struct InvalidLevel {
    text: String,
}

/// Changes the level of the running process.
#[derive(Clone)]
pub struct LevelHandle(Option<reload::Handle<EnvFilter, Registry>>);

impl LevelHandle {
    /// The filter in force.
    pub fn current(&self) -> String {
        self.0.as_ref().and_then(|handle| handle.with_current(ToString::to_string).ok()).unwrap_or_default()
    }

    /// Puts another filter in force.
    ///
    /// # Errors
    /// When the text is no level and no filter; the old one stays.
    pub fn set(&self, text: &str) -> Result<(), InvalidLevel> {
        let filter = filter(text)?;
        match &self.0 {
            Some(handle) => handle.reload(filter).map_err(|_| InvalidLevel { text: text.to_owned() }),
            None => Ok(()),
        }
    }
}

/// Starts logging. When another subscriber is set already, as in tests, that one stays.
///
/// # Errors
/// When the level is no level and no filter.
pub fn init(level: &str, format: Format) -> Result<LevelHandle, InvalidLevel> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let registry = tracing_subscriber::registry().with(filter);
    let stderr = || tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match format {
        Format::Plain => registry.with(stderr().with_ansi(std::io::stderr().is_terminal())).try_init(),
        Format::Json => registry.with(stderr().json().flatten_event(true)).try_init(),
    };
    Ok(LevelHandle(started.is_ok().then_some(handle)))
}

fn filter(text: &str) -> Result<EnvFilter, InvalidLevel> {
    let directive = match text {
        "panic" | "fatal" => "error",
        "warning" => "warn",
        other => other,
    };
    let invalid = || InvalidLevel { text: text.to_owned() };
    let is_word = directive.chars().all(|c| c.is_ascii_alphanumeric());
    if directive.is_empty() || is_word && !["error", "warn", "info", "debug", "trace", "off"].contains(&directive) {
        return Err(invalid());
    }
    EnvFilter::try_new(directive).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_reference_and_filters_are_taken() {
        for good in ["panic", "fatal", "error", "warning", "info", "trace", "linkerd=info,warn"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "linkerd=[", "a=b=c"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
