//! The policy service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd_controller::process::main("policy", linkerd_policy::run)
}
