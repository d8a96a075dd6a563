//! `linkerd inject` and `linkerd uninject`, through the built program.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - image: web:1
        name: web
";

const CONFIG_MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata:   {name: settings}
";

fn linkerd(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    // A program that does not read its input has closed it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("output")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[track_caller]
fn success(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let output = linkerd(arguments, environment, input);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

#[track_caller]
fn error(arguments: &[&str], input: &str) -> String {
    let output = linkerd(arguments, &[], input);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    stderr(&output).to_owned()
}

#[test]
fn a_workload_gains_an_annotation_and_the_report_goes_to_standard_error() {
    let output = success(&["inject", "--ignore-cluster", "-"], &[], DEPLOYMENT);
    insta::assert_snapshot!(stdout(&output), @"
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
    spec:
      selector:
        matchLabels:
          app: web
      template:
        metadata:
          annotations:
            linkerd.io/inject: enabled
          labels:
            app: web
        spec:
          containers:
          - image: web:1
            name: web
    ---
    ");
    assert_eq!(stderr(&output), "\ndeployment \"web\" injected\n\n");
}

#[test]
fn options_and_the_registry_of_the_environment_become_annotations() {
    let arguments = [
        "inject",
        "--ignore-cluster",
        "-",
        "--admin-port",
        "1234",
        "--enable-debug-sidecar",
        "--close-wait-timeout=1h",
        "--native-sidecar=false",
    ];
    let output = success(&arguments, &[("LINKERD_DOCKER_REGISTRY", "my.reg")], DEPLOYMENT);
    let annotations: String =
        stdout(&output).lines().filter(|line| line.contains("linkerd.io/")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(annotations, @r#"
    config.linkerd.io/admin-port: "1234"
    config.linkerd.io/close-wait-timeout: 1h0m0s
    config.linkerd.io/debug-image: my.reg/debug
    config.linkerd.io/enable-debug-sidecar: "true"
    config.linkerd.io/proxy-enable-native-sidecar: "false"
    config.linkerd.io/proxy-image: my.reg/proxy
    linkerd.io/inject: enabled
    "#);
}

#[test]
fn what_is_not_concerned_passes_as_it_is_with_a_warning() {
    let output = success(&["inject", "--ignore-cluster", "-"], &[], CONFIG_MAP);
    assert_eq!(stdout(&output), format!("{CONFIG_MAP}---\n"));
    assert_eq!(stderr(&output), "\n\u{203c} no supported objects found\n\nconfigmap \"settings\" skipped\n\n");
}

#[test]
fn a_verbose_report_also_names_what_is_in_order() {
    let output = success(&["inject", "--ignore-cluster", "-", "--verbose"], &[], DEPLOYMENT);
    assert_eq!(stderr(&output).lines().filter(|line| line.starts_with('\u{221a}')).count(), 6, "{}", stderr(&output));
    assert!(stderr(&output).ends_with("\n\ndeployment \"web\" injected\n\n"), "{}", stderr(&output));
}

#[test]
fn nothing_is_printed_when_any_object_fails() {
    let host_network = DEPLOYMENT.replace("      containers:", "      hostNetwork: true\n      containers:");
    let expected = "Error transforming resources:\nfailed to inject deployment/web: hostNetwork is enabled";
    assert_eq!(error(&["inject", "--ignore-cluster", "-"], &format!("{DEPLOYMENT}---\n{host_network}")), expected);
    assert!(
        error(&["inject", "--ignore-cluster", "-"], &format!("{DEPLOYMENT}---\na: ["))
            .starts_with("Error transforming resources:\n")
    );
}

#[test]
fn wrong_inputs_and_options_are_told() {
    let first = |arguments: &[&str]| error(arguments, DEPLOYMENT).lines().next().unwrap_or_default().to_owned();
    assert_eq!(first(&["inject"]), "Error: please specify a kubernetes resource file");
    assert_eq!(first(&["inject", "http://x/y.yml"]), "Error: only HTTPS URLs are allowed");
    assert_eq!(
        error(&["inject", "--ignore-cluster", "-", "-o", "foo"], DEPLOYMENT),
        "Error transforming resources:\nunsupported format foo"
    );
    assert!(first(&["inject", "--ignore-cluster", "-", "--proxy-cpu-request", "lots"]).contains("--proxy-cpu-request"));
    let duration =
        "Error: invalid argument \"soon\" for \"--close-wait-timeout\" flag: use a duration such as 30s or 1h30m";
    assert_eq!(first(&["inject", "--ignore-cluster", "-", "--close-wait-timeout", "soon"]), duration);
    assert_eq!(
        first(&["inject", "-", "--manual", "--ignore-cluster"]),
        "Error: Please provide the identity trust anchors"
    );
    assert!(first(&["inject", "no/such/file"]).starts_with("Error: cannot read no/such/file: "));
}

#[test]
fn a_folder_is_one_stream_in_lexical_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("nested")).unwrap();
    std::fs::write(folder.path().join("nested/web.txt"), DEPLOYMENT).unwrap();
    std::fs::write(folder.path().join("api.yaml"), DEPLOYMENT.replace("name: web\nspec", "name: api\nspec")).unwrap();
    let output = success(&["inject", "--ignore-cluster", &folder.path().display().to_string()], &[], "");
    assert_eq!(stderr(&output), "\ndeployment \"api\" injected\ndeployment \"web\" injected\n\n");
    assert_eq!(stdout(&output).matches("---\n").count(), 2);
}

#[test]
fn json_is_one_document_a_line() {
    let output =
        success(&["inject", "--ignore-cluster", "-", "-o", "json"], &[], &format!("{DEPLOYMENT}---\n{CONFIG_MAP}"));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["spec"]["template"]["metadata"]["annotations"]["linkerd.io/inject"], "enabled");
    assert_eq!(lines[1]["metadata"]["name"], "settings");
}

#[test]
fn uninject_undoes_inject() {
    let injected = success(&["inject", "--ignore-cluster", "-", "--admin-port", "1234"], &[], DEPLOYMENT);
    let output = success(&["uninject", "-"], &[], stdout(&injected));
    assert!(!stdout(&output).contains("linkerd.io/inject"), "{}", stdout(&output));
    assert!(stdout(&output).contains("config.linkerd.io/admin-port"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "\ndeployment \"web\" uninjected\n\n");
    let output = success(&["uninject", "-"], &[], CONFIG_MAP);
    assert_eq!(stderr(&output), "\nconfigmap \"settings\" skipped\n\n");
    assert_eq!(error(&["uninject"], "").lines().next(), Some("Error: please specify a kubernetes resource file"));
}

#[test]
fn a_pipe_gets_no_colours() {
    let output = success(&["inject", "--ignore-cluster", "-"], &[("TERM", "xterm")], CONFIG_MAP);
    assert!(!stderr(&output).contains('\u{1b}') && !stdout(&output).contains('\u{1b}'));
}
