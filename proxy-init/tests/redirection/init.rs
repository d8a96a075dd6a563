//! What the program does to a firewall.

use super::{
    FLAVOURS,
    net::{Namespace, Network},
};
use linkerd2_proxy_init::{core::plan::cleanup, init::command::find};
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_linkerd2-proxy-init");

/// Runs the program in a namespace; its exit code and all that it told.
pub fn run(namespace: &Namespace, arguments: &str) -> (Option<i32>, String) {
    run_with_path(namespace, arguments, None)
}

fn run_with_path(namespace: &Namespace, arguments: &str, path: Option<&OsStr>) -> (Option<i32>, String) {
    let arguments = format!("-p 4143 -o 4140 -u 2102 {arguments}");
    let output = namespace.spawn(PROGRAM, &arguments, path).wait_with_output().expect("the program runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

pub fn succeed(namespace: &Namespace, arguments: &str) {
    let (code, told) = run(namespace, arguments);
    assert_eq!(code, Some(0), "{told}");
}

fn iptables(namespace: &Namespace, program: &str, arguments: &str) {
    let output = namespace.spawn(program, arguments, None).wait_with_output().expect("the program runs");
    assert!(output.status.success(), "{program} {arguments}: {output:?}");
}

fn installed(program: &str) -> String {
    find(program).expect("that it is installed").display().to_string()
}

/// A folder that stands first on `PATH` and holds one program.
fn instead_of(program: &str, script: &str) -> (tempfile::TempDir, OsString) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(program);
    // By another process, since a file that this one has open for writing cannot be run.
    let write =
        Command::new("sh").args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" > "$0""#]).arg(&file).arg(script).status();
    assert!(write.expect("sh").success());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a program");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.path().to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).expect("a path");
    (folder, path)
}

// cases 2, 5, 9 and 10, as the kernel has them
#[test]
fn the_rules_in_force_are_those_of_the_plan() {
    let network = Network::new();
    for (mode, program) in FLAVOURS {
        let program6 = program.replacen("ip", "ip6", 1);
        succeed(
            &network.pod,
            &format!(
                "--iptables-mode {mode} -g 2103 -r 8080,9090 --inbound-ports-to-ignore 22,25-27,33 \
                 --outbound-ports-to-ignore 443 --subnets-to-ignore 10.1.2.3/8,fd00::1/8,0.0.0.0/0,::/0"
            ),
        );
        // How rules are printed differs between releases; their comments do not.
        for (program, subnets) in [(program, ["10.1.2.3/8", "0.0.0.0/0"]), (program6.as_str(), ["fd00::1/8", "::/0"])] {
            let table = network.pod.table(program);
            let comments = table.lines().filter_map(|line| line.split_once("\"proxy-init/")?.1.split('"').next());
            let mut found: Vec<_> = comments.collect();
            found.sort_unstable();
            let mut expected = vec![
                "ignore-loopback".to_owned(),
                "ignore-port-22,25:27,33".to_owned(),
                "ignore-port-443".to_owned(),
                "ignore-proxy-group-id".to_owned(),
                "ignore-proxy-user-id".to_owned(),
                "install-proxy-init-output".to_owned(),
                "install-proxy-init-prerouting".to_owned(),
                "redirect-all-outgoing-to-proxy-port".to_owned(),
                "redirect-port-8080-to-proxy-port".to_owned(),
                "redirect-port-9090-to-proxy-port".to_owned(),
            ];
            expected.extend(subnets.map(|subnet| format!("ignore-subnet-{subnet}")));
            expected.sort_unstable();
            assert_eq!(found, expected, "{table}");
        }
    }
}

// cases 7 and 45; and the library's way to take it all away
#[test]
fn a_second_run_changes_nothing_and_others_rules_stay() {
    for (mode, program) in FLAVOURS {
        let pod = Namespace::new("pod");
        iptables(&pod, program, "-t nat -N PROXY_INIT_REDIRECT_OLD");
        iptables(&pod, program, "-t nat -A PREROUTING -j PROXY_INIT_REDIRECT_OLD");
        iptables(&pod, program, "-t nat -A OUTPUT -p tcp --dport 1 -j ACCEPT");
        let before = pod.table(program);
        let arguments = format!("--iptables-mode {mode} --ipv6=false");
        succeed(&pod, &arguments);
        let first = pod.table(program);
        assert!(first.contains("-A PREROUTING -j PROXY_INIT_REDIRECT_OLD\n-A PREROUTING -m comment"), "{first}");
        succeed(&pod, &format!("{arguments} --inbound-ports-to-ignore 22"));
        assert_ne!(pod.table(program), first);
        succeed(&pod, &arguments);
        assert_eq!(pod.table(program), first);
        for command in cleanup() {
            iptables(&pod, program, &command.join(" "));
        }
        assert_eq!(pod.table(program), before);
    }
}

#[test]
fn a_failed_run_leaves_the_rules_as_they_were() {
    for (mode, program) in FLAVOURS {
        let pod = Namespace::new("pod");
        let arguments = format!("--iptables-mode {mode} --ipv6=false");
        succeed(&pod, &arguments);
        let before = pod.table(program);
        let restore = format!("{program}-restore");
        // The last rule of the transaction is one that the kernel refuses.
        let script = format!(r#"sed 's/^COMMIT/-A OUTPUT -j NO_SUCH_CHAIN\nCOMMIT/' | {} "$@""#, installed(&restore));
        let (_folder, path) = instead_of(&restore, &script);
        let (code, told) = run_with_path(&pod, &format!("{arguments} -r 1,2,3"), Some(&path));
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("the rules are as they were"), "{told}");
        assert_eq!(pod.table(program), before);
    }
}

#[test]
fn runs_at_the_same_time_give_the_rules_once() {
    for (mode, program) in FLAVOURS {
        let pod = Namespace::new("pod");
        let arguments = format!("-p 4143 -o 4140 --iptables-mode {mode} --ipv6=false");
        let runs: Vec<_> = (0..4).map(|_| pod.spawn(PROGRAM, &arguments, None)).collect();
        for run in runs {
            let output = run.wait_with_output().expect("the program runs");
            assert!(output.status.success(), "{output:?}");
        }
        let table = pod.table(program);
        assert_eq!(table.matches("-j PROXY_INIT_REDIRECT\n").count(), 1, "{table}");
        assert_eq!(table.matches("-j PROXY_INIT_OUTPUT\n").count(), 1, "{table}");
        assert_eq!(table.matches("-j REDIRECT").count(), 2, "{table}");
    }
}

// cases 13 and 46
#[test]
fn another_namespace_is_changed_and_this_one_is_not() {
    let (pod, here) = (Namespace::new("pod"), Namespace::new("here"));
    let file = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait";
    let timeout = |namespace: &Namespace| namespace.within(|| fs::read_to_string(Path::new(file))).expect("a setting");
    let before = timeout(&here);
    assert_ne!(before.trim(), "77");
    let arguments = format!("--netns {} --timeout-close-wait-secs 77 --iptables-mode nft", pod.path());
    succeed(&here, &format!("{arguments} --simulate"));
    assert_eq!(timeout(&pod), before);
    succeed(&here, &arguments);
    assert_eq!(timeout(&pod).trim(), "77");
    assert_eq!(timeout(&here), before);
    assert!(pod.table("iptables-nft").contains("PROXY_INIT_REDIRECT"));
    assert!(pod.table("ip6tables-nft").contains("PROXY_INIT_REDIRECT"));
    assert!(!here.table("iptables-nft").contains("PROXY_INIT_REDIRECT"));
    let (code, told) = run(&here, "--netns /no/such/namespace");
    assert!(code == Some(1) && told.contains("cannot use the network namespace /no/such/namespace"), "{told}");
}

#[test]
fn a_kernel_without_ipv6_is_no_failure_unless_the_pod_has_an_address() {
    let (_folder, path) = instead_of("ip6tables-nft-save", "echo 'Table does not exist' >&2; exit 3");
    let without = Namespace::new("without");
    let (code, told) = run_with_path(&without, "--iptables-mode nft", Some(&path));
    assert!(code == Some(0) && told.contains("level=warning msg=\"IPv6 is not redirected"), "{told}");
    assert!(without.table("iptables-nft").contains("PROXY_INIT_REDIRECT"));

    let with = Network::new();
    let (code, told) = run_with_path(&with.pod, "--iptables-mode nft", Some(&path));
    assert!(code == Some(1) && told.contains("Error: exit status 3 of"), "{told}");
    // Told for the namespace that is changed, not for the one that the program is in.
    let arguments = format!("--iptables-mode nft --netns {}", with.pod.path());
    let script = format!(r#"case "$*" in *ip6tables*) exit 3;; esac; exec {} "$@""#, installed("nsenter"));
    let (_nsenter, path) = instead_of("nsenter", &script);
    let (code, told) = run_with_path(&without, &arguments, Some(&path));
    assert_eq!(code, Some(1), "{told}");
}
