//! Checks of extensions: programs `linkerd-NAME` on the search path, which speak JSON.

mod programs;

use super::{
    context::Context,
    engine::{Entry, HINTS, Observer, Outcome},
    report::{Parsed, parse},
    rules::extension_namespaces::by_extension,
    verdict::Finding,
};
use crate::global::{Global, given};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use programs::{Program, on_path, says_always};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// Longest time to list namespaces.
const LIST: Duration = Duration::from_secs(30);
/// What a program gets beyond the time that it may wait.
const GRACE: Duration = Duration::from_secs(60);

/// The options that extensions are called with.
pub struct Flags<'a> {
    /// Options of every command.
    pub global: &'a Global,
    /// Namespace of the data plane.
    pub namespace: Option<String>,
    /// Whether the data plane is checked.
    pub proxy: bool,
    /// How long to wait for what may still become well.
    pub wait: Duration,
}

/// Runs the checks of all extensions. Returns whether none failed.
///
/// # Errors
/// When the observer cannot go on.
pub async fn run(context: &Context, flags: &Flags<'_>, observer: &mut impl Observer) -> anyhow::Result<bool> {
    observer.pending("checks of extensions");
    let installed = match timeout(LIST, installed(context)).await {
        Ok(Ok(installed)) => installed,
        Ok(Err(reason)) => return Ok(cannot_run(&reason)),
        Err(_) => return Ok(cannot_run("the cluster did not answer")),
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = on_path(&path);
    let always = join_all(found.values().map(says_always)).await;
    let always = found.keys().zip(always).filter(|(_, always)| *always).map(|(name, _)| name.clone()).collect();
    let Plan { run, missing } = plan(&found, &always, &installed);
    let arguments = flags.arguments();
    let checked = join_all(run.into_iter().map(|program| check(program, &arguments, flags.wait + GRACE))).await;
    let mut is_success = true;
    for Parsed { is_success: this, entries } in checked {
        is_success &= this;
        entries.into_iter().try_for_each(|entry| observer.ended(entry))?;
    }
    missing.iter().try_for_each(|name| observer.ended(no_program(name)))?;
    Ok(is_success)
}

fn cannot_run(reason: &str) -> bool {
    eprintln!("Failed to run extensions checks: {reason}");
    false
}

/// The extensions that the labels of namespaces name.
async fn installed(context: &Context) -> Result<BTreeSet<String>, String> {
    let read = async { context.reads()?.all::<Namespace>("").await };
    match read.await {
        Ok(namespaces) => Ok(by_extension(&namespaces).into_keys().map(str::to_owned).collect()),
        Err(Finding::Error(reason) | Finding::Warning(reason)) => Err(reason),
        Err(Finding::Skipped) => Ok(BTreeSet::new()),
    }
}

/// Which programs to run, and which are not there.
#[derive(Debug, PartialEq, Eq)]
struct Plan<'a> {
    run: Vec<&'a Program>,
    missing: Vec<String>,
}

fn plan<'a>(found: &'a BTreeMap<String, Program>, always: &BTreeSet<String>, installed: &BTreeSet<String>) -> Plan<'a> {
    let wanted: BTreeSet<String> = installed.iter().map(|extension| format!("linkerd-{extension}")).collect();
    let run = found.iter().filter(|(name, _)| always.contains(*name) || wanted.contains(*name));
    let missing = wanted.iter().filter(|name| !found.contains_key(*name));
    Plan { run: run.map(|(_, program)| program).collect(), missing: missing.cloned().collect() }
}

impl Flags<'_> {
    fn arguments(&self) -> Vec<String> {
        let cluster = self.global.cluster();
        let options = [
            ("api-addr", given(&self.global.api_addr)),
            ("context", given(&cluster.context)),
            ("as", given(&cluster.impersonate)),
            ("kubeconfig", given(&cluster.kubeconfig)),
            ("linkerd-namespace", Some(self.global.namespace())),
            ("namespace", self.namespace.as_deref()),
        ];
        let options = options.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        let groups = cluster.impersonate_groups.iter().map(|group| format!("--as-group={group}"));
        let rest = [
            format!("--verbose={}", self.global.verbose),
            format!("--proxy={}", self.proxy),
            format!("--wait={}ms", self.wait.as_millis()),
            "--output=json".to_owned(),
        ];
        std::iter::once("check".to_owned()).chain(options).chain(groups).chain(rest).collect()
    }
}

/// What a program reports.
async fn check(program: &Program, arguments: &[String], limit: Duration) -> Parsed {
    let line = format!("{} {}", program.path.display(), arguments.join(" "));
    let reason = match call(&program.path, arguments, limit).await {
        Ok(output) => match parse(&output.stdout) {
            Ok(parsed) => return parsed,
            Err(error) => unreadable(&line, &output, &error),
        },
        Err(error) => format!("{line}: {error}"),
    };
    let entry = Entry {
        category: program.name.clone(),
        description: format!("Running: {line}"),
        hint: Some(format!("{HINTS}extensions")),
        outcome: Outcome::Failed(reason),
    };
    Parsed { is_success: false, entries: vec![entry] }
}

fn unreadable(line: &str, output: &Output, error: &serde_json::Error) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim() {
        "" => {
            let said = String::from_utf8_lossy(&output.stdout);
            format!(
                "invalid extension check output from \"{line}\" (JSON object expected):\n{}\n[{error}]",
                said.trim()
            )
        }
        said => said.to_owned(),
    }
}

/// Runs a program to its end, which it must reach in time.
async fn call(path: &Path, arguments: &[String], limit: Duration) -> std::io::Result<Output> {
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = timeout(limit, command.output()).await;
    ended.unwrap_or_else(|_| Err(std::io::Error::other(format!("no answer within {} s", limit.as_secs()))))
}

fn no_program(name: &str) -> Entry {
    Entry {
        category: name.to_owned(),
        description: format!("Linkerd extension command {name} exists"),
        hint: Some(format!("{HINTS}extensions")),
        outcome: Outcome::Warned(format!("exec: \"{name}\": executable file not found in $PATH")),
    }
}

#[cfg(test)]
mod tests;
