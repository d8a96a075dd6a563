//! The webhook's process.

use linkerd_sp_validator::webhook;
use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd_controller::process::main("sp-validator", webhook::start)
}
