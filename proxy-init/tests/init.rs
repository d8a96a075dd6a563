//! `linkerd2-proxy-init` from the outside: what it logs, what it runs, how it ends.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// A folder of programs that write down how they are called, and nothing else on `PATH`.
struct Programs {
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// One test at a time: a process that is started while another test writes a program would hold
/// that file open for a moment, and a file that is open for writing cannot be run.
static ALONE: Mutex<()> = Mutex::new(());

impl Programs {
    fn new(names: &[&str]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = Self { folder: tempfile::tempdir().expect("a folder"), _alone: alone };
        for name in names {
            programs.add(name, "");
        }
        programs
    }

    /// A program that does `then` after it wrote down its call and what it read.
    fn add(&self, name: &str, then: &str) -> &Self {
        let path = self.path().join(name);
        let calls = self.calls_file();
        let script = format!("#!/bin/sh\necho {name} \"$@\" >> {}\n{then}\n", calls.display());
        fs::write(&path, script).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn calls_file(&self) -> PathBuf {
        self.path().join("calls")
    }

    /// What was run, in order.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.calls_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn run(&self, line: &str) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_linkerd2-proxy-init"))
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .env("PATH", self.path())
            .output()
            .expect("the program was built");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let folder = format!("{}/", self.path().display());
        Outcome {
            code: output.status.code(),
            stdout: text(output.stdout).replace(&folder, "BIN/"),
            stderr: text(output.stderr),
        }
    }
}

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// The messages that were logged.
    fn messages(&self) -> Vec<&str> {
        self.stdout.lines().filter_map(|line| line.split_once("msg=\"")?.1.strip_suffix('"')).collect()
    }
}

const BOTH: [&str; 8] = [
    "iptables-legacy",
    "iptables-legacy-save",
    "iptables-nft",
    "iptables-nft-save",
    "ip6tables-legacy",
    "ip6tables-legacy-save",
    "ip6tables-nft",
    "ip6tables-nft-save",
];
const PORTS: &str = "-p 4143 -o 4140 -u 2102";

// case 1
#[test]
fn a_simulation_logs_every_command_and_runs_none() {
    let programs = Programs::new(&BOTH);
    let outcome = programs.run(&format!("{PORTS} --ipv6=false --simulate"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.messages().join("\n"), @"
    BIN/iptables-legacy-save -t nat
    BIN/iptables-legacy -t nat -N PROXY_INIT_REDIRECT
    BIN/iptables-legacy -t nat -A PROXY_INIT_REDIRECT -p tcp -j REDIRECT --to-port 4143 -m comment --comment proxy-init/redirect-all-incoming-to-proxy-port
    BIN/iptables-legacy -t nat -A PREROUTING -j PROXY_INIT_REDIRECT -m comment --comment proxy-init/install-proxy-init-prerouting
    BIN/iptables-legacy -t nat -N PROXY_INIT_OUTPUT
    BIN/iptables-legacy -t nat -A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -j RETURN -m comment --comment proxy-init/ignore-proxy-user-id
    BIN/iptables-legacy -t nat -A PROXY_INIT_OUTPUT -o lo -j RETURN -m comment --comment proxy-init/ignore-loopback
    BIN/iptables-legacy -t nat -A PROXY_INIT_OUTPUT -p tcp -j REDIRECT --to-port 4140 -m comment --comment proxy-init/redirect-all-outgoing-to-proxy-port
    BIN/iptables-legacy -t nat -A OUTPUT -j PROXY_INIT_OUTPUT -m comment --comment proxy-init/install-proxy-init-output
    BIN/iptables-legacy-save -t nat
    ");
    assert!(programs.calls().is_empty());
}

// case 2
#[test]
fn ipv6_is_a_second_pass_of_the_same_flavour() {
    let outcome = Programs::new(&BOTH).run(&format!("{PORTS} --iptables-mode nft --simulate"));
    let messages = outcome.messages();
    assert_eq!(messages.len(), 20);
    assert!(messages[..10].iter().all(|line| line.starts_with("BIN/iptables-nft")), "{messages:?}");
    assert!(messages[10..].iter().all(|line| line.starts_with("BIN/ip6tables-nft")), "{messages:?}");
}

// cases 3, 4 and 42: all at once, and the level first
#[test]
fn every_mistake_is_an_error_and_nothing_is_run() {
    let programs = Programs::new(&BOTH);
    programs.add("sysctl", "");
    let outcome = programs.run("--log-level foo --iptables-mode foo -p 0 -o 100000 --timeout-close-wait-secs 60");
    assert_eq!(outcome.code, Some(1));
    insta::assert_snapshot!(outcome.stderr, @r#"
    Error: not a valid logrus Level: "foo"
    Error: --iptables-mode valid values are only "legacy", "nft" and "plain"
    Error: --incoming-proxy-port must be a valid TCP port number: 0 is not from 1 to 65535
    Error: --outgoing-proxy-port must be a valid TCP port number: 100000 is not from 1 to 65535
    Usage:
      linkerd2-proxy-init [flags]

    Use "linkerd2-proxy-init --help" for the flags.
    "#);
    let outcome = programs.run(&format!("{PORTS} --inbound-ports-to-ignore 80,http"));
    assert_eq!(outcome.code, Some(1));
    // The text that was logged when such an entry was left out.
    let told = r#"invalid port configuration of \"http\": \"http\" is not a valid lower-bound"#;
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    assert!(programs.calls().is_empty());
}

// case 11
#[test]
fn with_the_wait_flag_every_changing_command_ends_with_it() {
    let outcome = Programs::new(&BOTH).run(&format!("{PORTS} -w --ipv6=false --simulate"));
    for line in outcome.messages() {
        assert_eq!(line.ends_with(" -w"), !line.contains("-save"), "{line}");
    }
}

// case 12
#[test]
fn programs_that_are_missing_are_replaced_or_named() {
    let programs = Programs::new(&["iptables-nft", "iptables-nft-save", "ip6tables-legacy", "ip6tables-legacy-save"]);
    let outcome = programs.run(&format!("{PORTS} --iptables-mode nft --simulate"));
    assert!(outcome.stdout.contains("BIN/ip6tables-legacy-save -t nat"), "{}", outcome.stdout);
    let warning = r#"level=warning msg="iptables: configured binaries not found; applying fallback to available binaries" requested="ip6tables-nft""#;
    assert!(outcome.stdout.contains(warning), "{}", outcome.stdout);
    drop(programs);

    let outcome = Programs::new(&[]).run(&format!("{PORTS} --iptables-mode nft"));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("iptables: no suitable binaries found on PATH; commands may fail"));
    assert!(outcome.stdout.contains(r#"msg="iptables-nft-save -t nat""#), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("the image must hold iptables-nft-save"), "{}", outcome.stderr);
}

// case 13
#[test]
fn another_namespace_is_entered_for_every_command() {
    let programs = Programs::new(&BOTH);
    programs.add("nsenter", "");
    let line = format!("{PORTS} --netns /proc/1/ns/net --timeout-close-wait-secs 9 --simulate");
    let outcome = programs.run(&line);
    let messages = outcome.messages();
    assert!(messages[0].starts_with("BIN/nsenter --net=/proc/1/ns/net -- sysctl -w net.netfilter."), "{}", messages[0]);
    for line in &messages[1..] {
        assert!(line.starts_with("BIN/nsenter --net=/proc/1/ns/net -- ip"), "{line}");
    }
    // case 46
    assert!(programs.calls().is_empty());
}

// case 14
#[test]
fn the_kernel_setting_comes_first_and_its_failure_ends_all() {
    let programs = Programs::new(&BOTH);
    programs.add("sysctl", "echo no such key >&2; exit 255");
    let outcome = programs.run(&format!("{PORTS} --timeout-close-wait-secs 3600"));
    assert_eq!(outcome.code, Some(1));
    assert_eq!(programs.calls(), ["sysctl -w net.netfilter.nf_conntrack_tcp_timeout_close_wait=3600"]);
    assert!(outcome.stderr.starts_with("Error: exit status 255 of `"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains(r#"level=info msg="no such key""#), "{}", outcome.stdout);
}

#[test]
fn a_table_that_cannot_be_read_ends_all() {
    let programs = Programs::new(&BOTH);
    programs.add("iptables-legacy-save", "echo 'Permission denied (you must be root)' >&2; exit 4");
    let outcome = programs.run(PORTS);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("aborting firewall configuration"), "{}", outcome.stdout);
    assert!(outcome.stderr.starts_with("Error: exit status 4 of `"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("NET_ADMIN"), "{}", outcome.stderr);
    assert_eq!(programs.calls(), ["iptables-legacy-save -t nat"]);
}

#[test]
fn rules_that_do_not_come_into_force_are_an_error() {
    let programs = Programs::new(&BOTH);
    programs.add("iptables-legacy-restore", "");
    let outcome = programs.run(PORTS);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("the IPv4 rules that are in force are not those"), "{}", outcome.stderr);
    assert_eq!(
        programs.calls(),
        ["iptables-legacy-save -t nat", "iptables-legacy-restore --noflush --wait=30", "iptables-legacy-save -t nat"]
    );
}

#[test]
fn lines_are_json_when_asked_for() {
    let outcome = Programs::new(&BOTH).run(&format!("{PORTS} --simulate --log-format json"));
    for line in outcome.stdout.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(entry["level"], "info");
        assert!(entry["msg"].is_string() && entry["time"].is_string());
    }
}
