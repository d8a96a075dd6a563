//! The `linkerd` command line.
//!
//! Inputs: arguments, manifests, and the gRPC API of a control plane. Outputs: what was asked for on
//! standard output, everything else on standard error. Invariants: the exit code is 0 or 1; a command
//! that fails prints nothing on standard output that could be taken for its result.

mod app;
mod arguments;
mod check;
mod cluster;
mod colours;
mod completion;
mod diagnostics;
mod failure;
mod global;
mod inject;
mod input;
mod install;
mod linkerd_config;
mod output;
mod port_forward;
mod resource;
mod sandbox;
mod uninject;
mod uninstall;
mod version;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::run(std::env::args_os().collect())
}
