//! What stands in for `linkerd2-proxy` in the image of injected containers; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    linkerd2_proxy_double::program::main()
}
