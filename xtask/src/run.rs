//! Running other programs: with their output shown, or kept in a log that is shown when they fail.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// How much of a log explains a failure without burying it.
const TAIL_LINES: usize = 40;

/// The cargo that runs this program, in the checkout.
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace::root());
    command
}

/// Runs a program with its output shown; an error names the command that reproduces it.
pub fn visible(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}); it can be repeated alone", line(command));
    }
    Ok(())
}

/// Runs a program with its output appended to `log`; an error shows the end of it.
pub fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        bail!(
            "`{}` failed ({status}); the end of {}:\n{}",
            line(command),
            workspace::relative(log).display(),
            tail(&text, TAIL_LINES)
        );
    }
    Ok(())
}

/// What a program prints, trimmed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}",
            line(command),
            output.status,
            tail(&String::from_utf8_lossy(&output.stderr), TAIL_LINES)
        );
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something other than text", line(command)))?;
    Ok(text.trim().to_owned())
}

/// Whether a program can be started and succeeds; its output goes nowhere.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status: ExitStatus| status.success())
}

/// The command as it would be typed in the checkout.
pub fn line(command: &Command) -> String {
    let mut parts: Vec<String> =
        command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.display(), quoted(value?)))).collect();
    parts.push(quoted(command.get_program()));
    parts.extend(command.get_args().map(quoted));
    parts.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("go");
        command.env("CGO_ENABLED", "0").args(["build", "-ldflags", "-s -w", "it's"]);
        assert_eq!(line(&command), r"CGO_ENABLED=0 go build -ldflags '-s -w' 'it'\''s'");
    }

    #[test]
    fn a_failure_shows_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error = logged(Command::new("sh").args(["-c", "echo the reason; exit 3"]), &log).unwrap_err().to_string();
        assert!(error.contains("the reason"), "{error}");
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a\n", 2), "a");
    }
}
