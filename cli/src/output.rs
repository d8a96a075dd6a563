//! Writing results to standard output.

use anyhow::Context as _;
use std::io::{ErrorKind, Write as _};

/// Writes a result. A reader that has gone, such as `head`, had what it wanted.
///
/// # Errors
/// When standard output cannot be written, say on a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Pretty JSON: an indent of two spaces, and a newline at the end.
///
/// # Errors
/// When the value has no JSON form.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
