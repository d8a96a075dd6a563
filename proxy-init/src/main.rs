//! Redirects a pod's traffic through its proxy.

use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd2_proxy_init::init::main(std::env::args_os())
}
