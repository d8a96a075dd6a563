//! The namespaces that the node lives in: mounts, processes and network.
//!
//! They are those of one process, which is recorded. With it ends every process in them, and with
//! the last of these go their mounts, links and rules.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::components::Component;
use super::{NAME, state};
use crate::cluster::wait;
use crate::{run, workspace};

/// Folders with a fixed name that kubelet, containerd and CNI plug-ins write to.
const FOLDERS: &[&str] = &["/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/var/lib/cni"];
const INIT: &str = include_str!("init.sh");
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LIMIT: Duration = Duration::from_secs(30);

pub struct Namespaces {
    /// The parent of the first process in the namespaces, outside of them.
    process: u32,
}

/// A process in the namespaces.
pub struct Process {
    pub id: u32,
    /// The name of its program.
    pub name: String,
    /// Resident, in bytes.
    pub memory: u64,
}

impl Namespaces {
    /// Those that an earlier command started, if they are still there.
    pub fn running() -> Result<Option<Self>> {
        let Some(record) = state::read("process")? else {
            return Ok(None);
        };
        let process = record.split(' ').next().and_then(|id| id.parse().ok());
        let process = process.context(".cache/cluster/process is not as it was written")?;
        // Another process may have its number by now.
        Ok((identity(process).as_ref() == Some(&record)).then_some(Self { process }))
    }

    pub fn start() -> Result<Self> {
        make_folders()?;
        let folder = state::folder();
        let log = log("node")?;
        let child = Command::new("setsid")
            .args(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", INIT, &format!("{NAME}-node")])
            .arg(&folder)
            .args(FOLDERS)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start unshare")?;
        let process = child.id();
        let record = identity(process).context("unshare ended at once")?;
        state::write("process", &record)?;
        let alive = || {
            ensure!(identity(process).is_some(), "the namespaces could not be made; {}", end_of_log("node"));
            Ok(())
        };
        let mounted = || {
            ensure!(folder.join("mounted").exists(), "its folders are not mounted; {}", end_of_log("node"));
            Ok(())
        };
        wait::until(LIMIT, alive, mounted)?;
        Ok(Self { process })
    }

    pub fn process(&self) -> u32 {
        self.process
    }

    /// A program that runs inside, with this machine's files and without its variables.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let namespace = |kind: &str| format!("/proc/{}/ns/{kind}", self.process);
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount={}", namespace("mnt")))
            .arg(format!("--net={}", namespace("net")))
            .arg(format!("--pid={}", namespace("pid_for_children")))
            .arg(program)
            .current_dir("/")
            .env_clear()
            .env("PATH", SEARCH_PATH);
        command
    }

    /// Starts a component that outlives this program.
    pub fn spawn(&self, component: &Component) -> Result<()> {
        let log = log(component.name)?;
        let mut command = self.command("setsid");
        command.arg("--fork").arg(&component.program).args(&component.arguments);
        command.env("PATH", &component.search_path).envs(component.variables());
        let status = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .with_context(|| format!("cannot start `{}`", run::line(&command)))?;
        ensure!(status.success(), "`{}` failed; {}", run::line(&command), end_of_log(component.name));
        Ok(())
    }

    /// What runs inside; containers have namespaces of their own again, and are not among them.
    pub fn processes(&self) -> Result<Vec<Process>> {
        let namespace = fs::read_link(format!("/proc/{}/ns/pid_for_children", self.process))
            .context("the node's first process ended; `cargo xtask cluster down` removes the rest")?;
        Ok(processes_in(&namespace))
    }

    /// Ends everything inside.
    pub fn end(self) -> Result<()> {
        let namespace = fs::read_link(format!("/proc/{}/ns/pid_for_children", self.process));
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        let process = process.context("the node's first process has no valid number")?;
        kill_process(process, Signal::KILL).context("cannot end the node's first process")?;
        let Ok(namespace) = namespace else {
            return Ok(());
        };
        let ended = || {
            let left: Vec<_> = processes_in(&namespace).into_iter().map(|process| process.name).collect();
            ensure!(left.is_empty(), "these do not end: {}", left.join(", "));
            Ok(())
        };
        wait::until(LIMIT, || Ok(()), ended)
    }
}

fn processes_in(namespace: &Path) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let id = path.file_name()?.to_str()?.parse().ok()?;
        if fs::read_link(path.join("ns/pid")).ok()? != namespace {
            return None;
        }
        let program = fs::read_link(path.join("exe")).ok()?;
        let name = program.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned();
        let status = fs::read_to_string(path.join("status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Some(Process { id, name, memory: kilobytes.unwrap_or(0) * 1024 })
    });
    processes.collect()
}

/// The number of a living process and when it started, which together are unique.
fn identity(process: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (state != "Z").then(|| format!("{process} {started}"))
}

/// Makes those folders that this machine lacks, and notes which.
fn make_folders() -> Result<()> {
    let missing: Vec<_> = FOLDERS.iter().copied().filter(|folder| !Path::new(folder).exists()).collect();
    state::write("made_folders", &missing.join("\n"))?;
    for folder in missing {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {folder}"))?;
    }
    Ok(())
}

/// Removes the folders that were made for the node. They are empty: what is mounted over them is the node's.
pub fn remove_folders() -> Result<()> {
    let made = state::read("made_folders")?.unwrap_or_default();
    for folder in made.lines().filter(|folder| Path::new(folder).exists()) {
        fs::remove_dir(folder).with_context(|| format!("cannot remove {folder}"))?;
    }
    Ok(())
}

fn log(name: &str) -> Result<File> {
    state::write("logs/.keep", "")?;
    let path = state::folder().join(format!("logs/{name}.log"));
    let mut options = File::options();
    options.create(true).append(true).open(&path).with_context(|| format!("cannot write {}", path.display()))
}

/// The last lines of a component's log, with its place.
pub fn end_of_log(name: &str) -> String {
    let path = state::folder().join(format!("logs/{name}.log"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    format!("the end of {}:\n{}", workspace::relative(&path).display(), run::tail(&text, 20))
}
