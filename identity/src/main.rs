//! The identity process.

use linkerd_controller::process;
use linkerd_identity::{args::Args, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    process::main("identity", |args: Args, tasks| run::run(args, tasks))
}
