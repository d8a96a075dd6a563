//! What a test process started ends with it, even when it is killed.
//!
//! `Drop` is not enough: servers shared by the tests of a binary live in statics, which are never
//! dropped, and a killed process drops nothing. The kernel's parent-death signal is no way out:
//! it fires when the *thread* that started the child ends, and every test is a thread of its own.
//! So a small shell waits for the end of a pipe that only this process holds open, and then
//! kills the process groups and removes the folders it was told of.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

const WATCHDOG: &str = r#"
trap '' HUP INT TERM
groups=
while read -r what name; do
  case $what in
    group) groups="$groups $name" ;;
    gone)
      rest=
      for group in $groups; do [ "$group" = "$name" ] || rest="$rest $group"; done
      groups=$rest ;;
    folder) set -- "$@" "$name" ;;
  esac
done
for group in $groups; do kill -KILL "-$group"; done
rm -rf "$@" || { sleep 1; rm -rf "$@"; }
"#;

/// Has the process group killed when this process ends.
pub fn watch_group(leader: u32) -> Result<()> {
    tell(&format!("group {leader}"))
}

/// The group is about to be reaped here; its number may soon belong to somebody else.
pub fn forget_group(leader: u32) {
    // Without a watchdog there is nothing to forget.
    let _ = tell(&format!("gone {leader}"));
}

/// A temporary folder that is removed with its value, or else with this process.
pub fn folder(name: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("linkerd-tests-{name}-"))
        .tempdir()
        .context("cannot make a temporary folder")?;
    watch_folder(folder.path())?;
    Ok(folder)
}

fn watch_folder(path: &Path) -> Result<()> {
    tell(&format!("folder {}", path.display()))
}

fn tell(line: &str) -> Result<()> {
    static PIPE: OnceLock<Result<Mutex<ChildStdin>, String>> = OnceLock::new();
    let pipe = PIPE
        .get_or_init(|| start().map(Mutex::new).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))?;
    let mut pipe = pipe.lock().map_err(|_| anyhow!("a thread died while it spoke to the watchdog"))?;
    writeln!(pipe, "{line}").context("the watchdog that cleans up after tests is gone")
}

fn start() -> Result<ChildStdin> {
    let mut watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "linkerd-tests-watchdog"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own: Ctrl-C is for the test, and the watchdog acts on the test's end.
        .process_group(0)
        .spawn()
        .context("cannot start `sh`, which cleans up after tests")?;
    watchdog.stdin.take().context("the watchdog has no standard input")
}
