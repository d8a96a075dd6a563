//! Destination service: tells proxies where a request goes.

use linkerd_destination::{args::Args, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd_controller::process::main::<Args, _>("destination", run)
}
