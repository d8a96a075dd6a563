//! The injector's process.

use linkerd_injector::webhook;
use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd_controller::process::main("proxy-injector", webhook::start)
}
