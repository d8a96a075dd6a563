//! One of our binaries, running as it would in a cluster.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::child::{ChildProcess, hermetic};
use crate::plain_http::{self, Response};
use crate::teardown;

/// A control-plane process to start: its binary, its arguments, where its admin server will be.
pub struct ProcessBuilder {
    binary: String,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    admin: SocketAddr,
}

impl ProcessBuilder {
    /// `binary` by name (`linkerd-destination`); `admin` is what its arguments say, or its
    /// default.
    pub fn new(binary: &str, admin: SocketAddr) -> Self {
        Self { binary: binary.to_owned(), arguments: Vec::new(), environment: Vec::new(), admin }
    }

    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts the process; it may not serve anything yet.
    pub fn spawn(self) -> Result<Process> {
        let mut command = hermetic(find(&self.binary)?);
        command.args(self.arguments).envs(self.environment);
        let folder = teardown::folder(&self.binary)?;
        let log = folder.path().join("log");
        Ok(Process { child: ChildProcess::spawn(self.binary, command, &log)?, admin: self.admin, folder })
    }

    /// Starts the process and waits until it calls itself ready.
    pub async fn start(self, deadline: Duration) -> Result<Process> {
        let mut process = self.spawn()?;
        process.ready(deadline).await?;
        Ok(process)
    }
}

/// A running control-plane process. Killed when dropped, and with the test process.
pub struct Process {
    // Before the folder that it writes its log to.
    child: ChildProcess,
    admin: SocketAddr,
    folder: TempDir,
}

impl Process {
    /// Waits for 200 from `/ready`. An error has the last answer, which names what is pending.
    pub async fn ready(&mut self, deadline: Duration) -> Result<()> {
        let admin = self.admin;
        let ready = || async move {
            let Response { status, body } = plain_http::get(admin, "/ready").await?;
            ensure!(status == 200, "/ready: {status} {}", body.trim());
            Ok(())
        };
        self.child.until_ready(deadline, ready).await
    }

    /// What its admin server answers to `GET path`.
    pub async fn admin_get(&self, path: &str) -> Result<Response> {
        plain_http::get(self.admin, path).await
    }

    /// What its admin server answers to a request with a body, say a change of the log level.
    pub async fn admin_request(&self, method: &str, path: &str, body: &str) -> Result<Response> {
        plain_http::request(self.admin, method, path, body).await
    }

    /// Resident memory now, in bytes.
    pub fn rss(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.pid());
        let status = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}; has {} ended?", self.child.name()))?;
        rss_in(&status).with_context(|| format!("{path} tells no VmRSS"))
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.child.log()
    }

    /// A folder for files that belong to this process, removed with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Fails when the process has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        self.child.ensure_running()
    }

    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.child.signal(signal)
    }

    /// Asks it to end (SIGTERM) and waits for that; how it ended.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.child.terminate(deadline).await
    }

    /// Waits until it ends by itself; how it ended.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.child.wait(deadline).await
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill();
    }
}

/// A binary of this workspace, built with the same profile as the running test.
pub fn find(binary: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("the test does not know its own path")?;
    // target/debug/deps/suite-0123456789abcdef
    let profile = test.parent().and_then(Path::parent);
    let program = profile.context("the test runs outside of a target folder")?.join(binary);
    if !program.is_file() {
        bail!(
            "{binary} is not built; run `cargo build --workspace --bins`, or the whole of \
             `cargo xtask test`"
        );
    }
    Ok(program)
}

fn rss_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(rss_in("Name:\tx\nVmRSS:\t    5120 kB\nThreads: 1\n"), Some(5 << 20));
        assert_eq!(rss_in("Name:\tkthread\n"), None);
    }

    #[test]
    fn a_missing_binary_names_the_command_that_builds_it() {
        let error = find("linkerd-nothing").unwrap_err().to_string();
        assert!(error.contains("cargo xtask test"), "{error}");
    }
}
