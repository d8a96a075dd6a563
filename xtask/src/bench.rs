//! `cargo xtask bench`: how much memory the processes take, how fast a change is, and how fast certificates are.

use anyhow::Result;

use crate::progress::heading;
use crate::{run, tools};

/// Measures with the binaries as they are released, against a real API server, and prints tables.
pub fn run() -> Result<()> {
    heading("tools");
    for tool in tools::FOR_TESTS {
        tools::provide(tool)?;
    }
    heading("binaries, in release mode");
    run::visible(run::cargo().args(["build", "--release", "--workspace", "--bins"]))?;
    for bench in ["scale", "identity"] {
        heading(bench);
        run::visible(run::cargo().args(["bench", "--package", "linkerd-tests", "--bench", bench]))?;
    }
    Ok(())
}
