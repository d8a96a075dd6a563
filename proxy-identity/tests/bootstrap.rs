//! The program from the outside: exit code, its one line, and what it becomes.

use linkerd2_proxy_identity::{settings, settings::Settings, start};
use rcgen::{CertificateParams, KeyPair};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

const NAME: &str = "web.emojivoto.serviceaccount.identity.linkerd.cluster.local";

fn anchor() -> String {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(vec!["root.linkerd.cluster.local".to_owned()]).expect("a name");
    parameters.self_signed(&key).expect("a certificate").pem()
}

fn program(directory: &Path, name: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_linkerd2-proxy-identity"))
        .env_clear()
        .env(settings::DIRECTORY, directory)
        .env(settings::TRUST_ANCHORS, anchor())
        .env(settings::LOCAL_NAME, name)
        .output()
        .expect("the program was built")
}

// identity.md case 40
#[test]
fn a_failure_is_one_fatal_line_and_exit_code_1_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path(), "web");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("level=fatal") && stderr.contains("fully qualified"), "{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

// identity.md case 40. The proxy takes the place of the process, so it is this test program that
// is run again, as a process that may end so: see `becomes_the_proxy_when_told_to`.
#[test]
fn the_proxy_runs_in_the_same_process_with_the_environment_and_no_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = folder.path().join("proxy");
    // Written by another process: a file that this one has open for writing could not be run while
    // a process that another test starts still shares it.
    let script = r#"printf '#!/bin/sh\necho pid=$$ args=$# other=$OTHER\n' > "$0" && chmod 755 "$0""#;
    assert!(Command::new("sh").arg("-c").arg(script).arg(&proxy).status().unwrap().success());
    fs::write(folder.path().join("key.p8"), "of the container's last start").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "becomes_the_proxy_when_told_to", "--nocapture"])
        .env(settings::DIRECTORY, folder.path())
        .env(settings::TRUST_ANCHORS, anchor())
        .env(settings::LOCAL_NAME, NAME)
        .env("OTHER", "kept")
        .env("TEST_PROXY", &proxy)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(stdout.ends_with(&format!("pid={pid} args=0 other=kept\n")), "{stdout}");
    for file in ["key.p8", "csr.der"] {
        let path = folder.path().join(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        // DER, not PEM.
        assert_eq!(fs::read(&path).unwrap()[0], 0x30, "{file}");
    }
}

/// Nothing by itself; the second process of the test above.
#[test]
fn becomes_the_proxy_when_told_to() {
    let Ok(proxy) = std::env::var("TEST_PROXY") else {
        return;
    };
    let settings = Settings::from_env(|name| std::env::var(name).ok()).unwrap();
    panic!("{}", start(&settings, Path::new(&proxy)).unwrap_err());
}

#[test]
fn a_missing_proxy_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let pem = anchor();
    let variable = |name: &str| match name {
        settings::DIRECTORY => Some(folder.path().display().to_string()),
        settings::TRUST_ANCHORS => Some(pem.clone()),
        _ => Some(NAME.to_owned()),
    };
    let settings = Settings::from_env(variable).unwrap();
    let error = start(&settings, Path::new("/no/such/linkerd2-proxy")).unwrap_err();
    assert!(error.to_string().contains("failed to run proxy /no/such/linkerd2-proxy"), "{error}");
}
