//! Exit codes, and where what is written: through the built program.

use std::process::{Command, Output};

fn linkerd(arguments: &[&str]) -> Output {
    // No sandbox of the user, and none of their settings.
    let empty = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.args(arguments).env_clear().env("XDG_RUNTIME_DIR", empty.path()).env("HOME", empty.path());
    command.output().expect("the program runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// Asserts that a command fails, saying nothing on standard output, and returns the first line of
/// standard error.
#[track_caller]
fn error(arguments: &[&str]) -> String {
    let output = linkerd(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_group_without_command_or_with_an_unknown_one_prints_help() {
    for arguments in [&[][..], &["--help"], &["help"], &["diagnostics"], &["dg", "nope"], &["help", "version"]] {
        let output = linkerd(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(stdout(&output).contains("Usage: linkerd"), "{arguments:?}: {}", stdout(&output));
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn an_unknown_help_topic_is_no_failure() {
    let output = linkerd(&["help", "nope"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).starts_with("Unknown help topic nope"), "{}", stderr(&output));
}

#[test]
fn an_unknown_command_comes_with_near_ones() {
    let output = linkerd(&["versoin"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stderr(&output), @r#"
    Error: unknown command "versoin" for "linkerd"

    Did you mean this?
    	version

    Run 'linkerd --help' for usage.
    "#);
    let output = linkerd(&["qqqq"]);
    insta::assert_snapshot!(stderr(&output), @r#"
    Error: unknown command "qqqq" for "linkerd"

    Run 'linkerd --help' for usage.
    "#);
}

#[test]
fn a_failure_is_told_first_and_the_usage_follows() {
    let output = linkerd(&["diagnostics", "profile"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stderr(&output), @"
    Error: accepts 1 arg(s), received 0
    Usage: linkerd diagnostics profile [OPTIONS] ADDRESS

    Run 'linkerd diagnostics profile --help' for its options.
    ");
}

#[test]
fn wrong_flags_and_arguments_are_named() {
    assert_eq!(error(&["version", "--x"]), "Error: unknown flag: --x");
    assert_eq!(error(&["version", "-x"]), "Error: unknown shorthand flag: 'x' in -x");
    assert_eq!(error(&["version", "surplus"]), "Error: unknown command \"surplus\" for \"linkerd version\"");
    assert_eq!(error(&["diagnostics", "profile", "-o"]), "Error: unknown shorthand flag: 'o' in -o");
    assert_eq!(error(&["diagnostics", "endpoints", "a", "-o"]), "Error: flag needs an argument: --output");
    assert_eq!(error(&["diagnostics", "endpoints"]), "Error: requires at least 1 arg(s), only received 0");
    assert_eq!(error(&["diagnostics", "profile", "a", "b"]), "Error: accepts 1 arg(s), received 2");
    let near = "Error: unknown flag: --clinet; did you mean --client?";
    assert_eq!(error(&["version", "--clinet"]), near);
}

#[test]
fn the_namespace_of_the_control_plane_is_checked_before_any_command() {
    assert_eq!(error(&["-L", "bad ns", "version", "--client"]), "Error: bad ns is not a valid namespace");
    for command in [&["version", "--client"][..], &["diagnostics", "policy", "-n", "ns", "po/x", "80"]] {
        let arguments = [command, &["-L", "bad ns"]].concat();
        assert_eq!(error(&arguments), "Error: bad ns is not a valid namespace");
    }
}

#[test]
fn options_of_a_cluster_are_taken_before_and_after_the_command() {
    let output = linkerd(&["--context", "x", "version", "--as=u", "--as-group", "g", "--client", "--verbose=false"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

// Acceptance case 61 of the command line.
#[test]
fn the_version_of_the_program_needs_no_cluster_and_others_do() {
    let output = linkerd(&["version", "--client", "--short"]);
    assert_eq!((output.status.code(), stdout(&output).lines().count()), (Some(0), 1), "{}", stderr(&output));
    let none = error(&["version"]);
    assert!(none.starts_with("Error: error configuring Kubernetes API client: no kubeconfig at /"), "{none}");
    assert!(none.ends_with("/.kube/config; name one with --kubeconfig FILE"), "{none}");
}

#[test]
fn without_any_control_plane_diagnostics_name_all_ways_to_one() {
    let how = "there is no control plane to ask: start a sandbox with 'linkerd sandbox PATH', name a cluster with \
               --kubeconfig FILE, or name an API with --api-addr HOST:PORT";
    let no_client = format!("Error creating destination client: {how}");
    assert_eq!(error(&["diagnostics", "endpoints", "a"]), no_client);
    assert_eq!(error(&["diagnostics", "profile", "a"]), no_client);
    assert_eq!(error(&["diagnostics", "policy", "po/x", "80"]), format!("Error: {how}"));
    let unknown = "error configuring Kubernetes API client: context \"c\" does not exist";
    assert_eq!(error(&["diagnostics", "policy", "po/x", "80", "--context", "c"]), format!("Error: {unknown}"));
    assert_eq!(error(&["diagnostics", "proxy-metrics", "po/x", "--context=c"]), format!("Error: {unknown}"));
    assert_eq!(error(&["diagnostics", "controller-metrics", "--context=c"]), format!("Error: {unknown}"));
}

#[test]
fn arguments_of_diagnostics_are_checked_before_anything_is_asked() {
    let policy = |arguments: [&str; 2]| error(&["diagnostics", "policy", arguments[0], arguments[1]]);
    assert_eq!(policy(["x", "80"]), "Error: resource type and name are required");
    let kind = "Error: invalid resource type deploy/x; must be one of Pod or Service";
    assert_eq!(policy(["deploy/x", "80"]), kind);
    assert_eq!(policy(["po/x", "0"]), "Error: invalid port \"0\"; use 1 to 65535");
    assert_eq!(policy(["svc/x", "65536"]), "Error: invalid port \"65536\"; use 1 to 65535");
    let output = "Error: output must be one of: yaml, json";
    assert_eq!(error(&["diagnostics", "policy", "po/x", "80", "-o", "foo"]), output);
    let proxy_metrics = |resource| error(&["diagnostics", "proxy-metrics", resource]);
    assert_eq!(proxy_metrics("deploy"), "Error: no resource name provided; use TYPE/NAME");
    assert_eq!(proxy_metrics("a/b/c"), "Error: invalid resource string: a/b/c; use TYPE/NAME");
    assert!(proxy_metrics("ns/x").starts_with("Error: unsupported resource type: namespace; use one of cronjob, "));
    let format = "Error: --output currently only supports table and json";
    assert_eq!(error(&["diagnostics", "endpoints", "a", "-o", "foo"]), format);
}

#[test]
fn completion_is_there_for_three_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = linkerd(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("diagnostics"), "{shell}");
    }
    let unsupported = "Error: unsupported shell type (must be bash, zsh or fish): foo";
    assert_eq!(error(&["completion", "foo"]), unsupported);
}
