//! That nothing outlives a test, however it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::eventually;

/// Set for the copy of this test that is going to be killed.
const VICTIM: &str = "LINKERD_TESTS_VICTIM";
const MARK: &str = "victim's server:";

#[tokio::test]
async fn a_killed_test_leaves_no_server_and_no_files() -> Result<()> {
    if std::env::var_os(VICTIM).is_some() {
        let server = ApiServer::shared().await?;
        println!("\n{MARK} {} {}", server.pid(), server.folder().display());
        return std::future::pending().await;
    }
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "--nocapture"])
        .arg("teardown::a_killed_test_leaves_no_server_and_no_files")
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(victim.stdout.take().context("no output")?);
    let started = output.lines().find_map(|line| Some(line.ok()?.strip_prefix(MARK)?.trim().to_owned()));
    victim.kill()?;
    victim.wait()?;

    let started = started.context("the victim started no server")?;
    let (pid, folder) = started.split_once(' ').context("no folder")?;
    eventually(Duration::from_secs(10), || async {
        ensure!(!runs(pid), "kube-apiserver {pid} runs");
        ensure!(!Path::new(folder).exists(), "{folder} is there");
        Ok(())
    })
    .await
}

/// Whether a process still does anything: in a container, nobody may collect the dead ones.
fn runs(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}
