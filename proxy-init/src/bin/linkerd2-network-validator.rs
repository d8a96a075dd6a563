//! Checks that a pod's traffic is redirected.

use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd2_proxy_init::validator::main(std::env::args_os())
}
