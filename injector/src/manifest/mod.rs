//! The transformations of `linkerd inject` and `linkerd uninject`: manifests in, manifests out.
//!
//! Pure functions over texts. A run either transforms every document or fails as a whole; documents
//! that are not concerned pass byte for byte, and no field of the others is lost.

pub mod document;
pub mod go_duration;
mod inject;
mod object;
pub mod overrides;
mod report;
mod uninject;

pub use self::{
    inject::{InjectOptions, Manual, ManualError, inject},
    report::Report,
    uninject::uninject,
};

use std::fmt;

/// One input: a file, a URL or the standard input.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// How errors name it.
    pub name: &'a str,
    /// Its text: YAML documents, or one JSON document.
    pub text: &'a str,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// YAML, a separator after each document.
    #[default]
    Yaml,
    /// JSON, one document a line.
    Json,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "yaml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            _ => Err(format!("unsupported format {text}")),
        }
    }
}

/// A run that succeeded.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// For the standard output.
    pub manifests: String,
    /// For the standard error.
    pub report: Report,
}

/// A run that failed. Nothing must be written to the standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub Vec<String>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error transforming resources:\n{}", self.0.join("\n"))
    }
}

impl std::error::Error for Failed {}

#[cfg(test)]
mod tests;
