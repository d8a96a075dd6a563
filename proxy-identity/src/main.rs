//! Entry point of the proxy image.

use linkerd2_proxy_identity::{PROXY, log, settings::Settings, start};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    match Settings::from_env(|name| std::env::var(name).ok()).and_then(|settings| start(&settings, Path::new(PROXY))) {
        Ok(never) => match never {},
        Err(error) => {
            log::fatal(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
