//! The commands against a cluster: a real API server, and a node that ends connections to pods at servers of
//! the test.

mod api;
#[path = "cluster/control_plane.rs"]
mod control_plane;
#[path = "cluster/inject.rs"]
mod inject;
#[path = "cluster/installation.rs"]
mod installation;
#[path = "cluster/metrics.rs"]
mod metrics;
#[path = "cluster/node.rs"]
mod node;
#[path = "cluster/version.rs"]
mod version;

use std::process::{Command, Output, Stdio};
use std::{io::Write as _, path::Path};

/// What a command did.
#[derive(Debug)]
struct Ran {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { succeeded: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The output of a command that succeeded and has nothing else to say.
    #[track_caller]
    fn result(self) -> String {
        assert!(self.succeeded && self.stderr.is_empty(), "{self:?}");
        self.stdout
    }

    /// What a command that failed said, after nothing that could be taken for its result.
    #[track_caller]
    fn error(self) -> String {
        assert!(!self.succeeded && self.stdout.is_empty(), "{self:?}");
        self.stderr
    }
}

/// Runs the program on a cluster, while this thread's runtime serves what it asks.
async fn linkerd(kubeconfig: &Path, arguments: &[&str], input: &str) -> Ran {
    // No sandbox of the user, and none of their settings.
    let empty = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.env_clear().env("XDG_RUNTIME_DIR", empty.path()).env("HOME", empty.path());
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let run = move || {
        let mut child = command.spawn().expect("the program runs");
        // A program that does not read its input has closed it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("output")
    };
    let output = tokio::task::spawn_blocking(run).await.expect("a thread");
    Ran::of(output)
}
