//! Running programs, and telling what was run.

use super::log::Log;
use std::{
    fmt, io,
    io::Write,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

/// A program that did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot run `{line}`: {source}; the image must hold {program}")]
    Start {
        /// What was to be run.
        line: String,
        /// The program.
        program: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{} of `{line}`: {}", ending(*.status), .output.trim())]
    Failed {
        /// What was run.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
}

impl Error {
    /// Whether the program ran, and failed.
    pub fn ran(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

/// Runs programs in one network namespace.
pub struct Runner<'a> {
    /// Where every command line and its output goes.
    pub log: &'a Log,
    /// Path of the namespace, unless it is the program's own.
    pub netns: Option<&'a str>,
}

/// A program with its arguments.
pub struct Line {
    program: String,
    path: Option<PathBuf>,
    arguments: Vec<String>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => path.display().fmt(f)?,
            None => f.write_str(&self.program)?,
        }
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

impl Runner<'_> {
    /// The command line that runs a program in the namespace.
    pub fn line(&self, program: &str, arguments: &[String]) -> Line {
        let (program, arguments) = match self.netns {
            None => (program.to_owned(), arguments.to_vec()),
            Some(netns) => {
                let entering = [format!("--net={netns}"), "--".to_owned(), program.to_owned()];
                ("nsenter".to_owned(), entering.into_iter().chain(arguments.iter().cloned()).collect())
            }
        };
        Line { path: find(&program), program, arguments }
    }

    /// Runs a program, logs it with what it prints, and returns what it printed to standard output.
    ///
    /// # Errors
    /// When it cannot be started, or fails.
    pub fn run(&self, line: &Line, input: &str) -> Result<String, Error> {
        self.log.info(&line.to_string());
        let start = |source| Error::Start { line: line.to_string(), program: line.program.clone(), source };
        let mut child = Command::new(line.path.as_deref().unwrap_or(line.program.as_ref()))
            .args(&line.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading tells why by its status.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(start)?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        for text in [&stdout, &stderr] {
            if !text.trim().is_empty() {
                self.log.info(text.trim_end());
            }
        }
        if !output.status.success() {
            let output_text = if stderr.trim().is_empty() { &stdout } else { &stderr };
            return Err(Error::Failed {
                line: line.to_string(),
                status: output.status,
                output: output_text.clone().into_owned(),
            });
        }
        Ok(stdout.into_owned())
    }
}

/// Where on `PATH` a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
