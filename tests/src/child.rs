//! A program that a test started: its log, its signals, its end.

use std::ffi::OsStr;
use std::fs::File;
use std::future::Future;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{eventually, teardown};

/// How much of a log explains a failure without burying it.
const TAIL_LINES: usize = 40;

/// A running program in a process group of its own. Killed when dropped, and with this process.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    child: Child,
    log: PathBuf,
    reaped: bool,
}

impl ChildProcess {
    /// Starts `command` with its output appended to the file `log`.
    pub fn spawn(name: impl Into<String>, mut command: Command, log: &Path) -> Result<Self> {
        let name = name.into();
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().display()))?;
        let child = Self { name, child, log: log.to_owned(), reaped: false };
        teardown::watch_group(child.pid())?;
        Ok(child)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() && !self.reaped {
            self.reaped = true;
            teardown::forget_group(self.child.id());
        }
        Ok(status)
    }

    /// Fails with the end of its log when it has ended, which no caller expects.
    pub fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.exited()? {
            bail!("{} ended ({status}); {}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// Tries `ready` until it holds. The error is the reason of the last attempt with the end of
    /// the log; a program that ends is no reason to try again.
    pub async fn until_ready<F, A>(&mut self, deadline: Duration, mut ready: F) -> Result<()>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<()>>,
    {
        let outcome = eventually(deadline, || {
            let running = self.ensure_running();
            let attempt = ready();
            async {
                match running {
                    Ok(()) => attempt.await.map(Ok),
                    Err(ended) => Ok(Err(ended)),
                }
            }
        })
        .await;
        outcome.with_context(|| format!("{} is not ready; {}", self.name, self.log_tail()))?
    }

    /// Sends a signal to the program and whatever it started.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.ensure_running()?;
        kill_process_group(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Asks it to end (SIGTERM) and waits for that; how it ended.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(deadline).await
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let ended = eventually(deadline, || {
            let exited = self.exited();
            async { exited?.context("it still runs") }
        })
        .await;
        ended.with_context(|| format!("{} did not end; {}", self.name, self.log_tail()))
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        if self.reaped {
            return;
        }
        self.reaped = true;
        teardown::forget_group(self.child.id());
        // An error means that it ended by itself.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of its log, introduced, for an error.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.trim_end().lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("the end of {}'s log:\n{}", self.name, tail.join("\n"))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // The test runner shows what a test printed only when the test fails, and then this is
        // wanted, whether it failed by a panic or by an error that it returned.
        eprintln!("{}", self.log_tail());
        self.kill();
    }
}

/// A command that sees nothing of this machine's own Kubernetes configuration.
pub fn hermetic(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
        command.env_remove(variable);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> (tempfile::TempDir, ChildProcess) {
        let folder = teardown::folder("child").unwrap();
        let mut command = hermetic("sh");
        command.args(["-c", script]);
        let child = ChildProcess::spawn("shell", command, &folder.path().join("log")).unwrap();
        (folder, child)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_that_ends_early_is_reported_with_its_log() {
        let (_folder, mut child) = shell("echo the reason; exit 3");
        let ready = child.until_ready(DEADLINE, || async { bail!("connection refused") }).await;
        let error = format!("{:#}", ready.unwrap_err());
        assert!(error.contains("exit status: 3") && error.contains("the reason"), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_is_asked_to_end() {
        let (_folder, mut child) = shell("exec sleep 600");
        let status = child.terminate(DEADLINE).await.unwrap();
        assert_eq!(status.signal(), Some(15));
        assert!(child.signal(Signal::TERM).is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_program_started_ends_with_it() {
        let (_folder, mut child) = shell("sleep 600 & echo $!; wait");
        let grandchild = eventually(DEADLINE, || async {
            let log = child.log();
            log.split_whitespace().next().map(str::to_owned).context("no output yet")
        });
        let grandchild = grandchild.await.unwrap();
        child.kill();
        eventually(DEADLINE, || async {
            let status = std::fs::read_to_string(format!("/proc/{grandchild}/status"));
            // Nobody may collect the dead in a container.
            anyhow::ensure!(status.is_err() || status.is_ok_and(|text| text.contains("State:\tZ")));
            Ok(())
        })
        .await
        .unwrap();
    }
}
