//! Entry point of the proxy image: makes the key and certificate request of the workload, then
//! becomes the proxy.
//!
//! Inputs: three environment variables, see [`settings`]. Outputs: `key.p8` and `csr.der` in the
//! identity directory, then the proxy, in the same process and with the same environment; or one
//! line `level=fatal` on standard error and exit code 1.
//!
//! Invariants:
//!
//! - nothing is written before every setting is found good;
//! - a file is replaced as a whole and is never readable by another user, not even for a moment;
//! - the private key leaves the process only into its file.

pub mod files;
pub mod log;
pub mod request;
pub mod settings;

use settings::Settings;
use std::{convert::Infallible, io, os::unix::process::CommandExt, path::Path, process::Command};

/// Where the proxy is in its image.
pub const PROXY: &str = "/usr/lib/linkerd/linkerd2-proxy";

/// Why the proxy was not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is not what the injector sets.
    #[error("{}; compare the container's environment with what the injector sets",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<settings::Mistake>),
    /// The key or the request could not be made.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The proxy is missing or cannot be run.
    #[error("failed to run proxy {path}: {source}; check that the image holds it")]
    Exec {
        /// The program that was to be run.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Writes key and request, then becomes `proxy`. Returns only if that fails.
///
/// # Errors
/// When the key cannot be made, a file cannot be written, or `proxy` cannot be run.
pub fn start(settings: &Settings, proxy: &Path) -> Result<Infallible, Error> {
    let request = request::new(&settings.name)?;
    files::replace(&settings.directory.join("key.p8"), request.key())?;
    files::replace(&settings.directory.join("csr.der"), request.csr())?;
    drop(request);
    let source = Command::new(proxy).exec();
    Err(Error::Exec { path: proxy.display().to_string(), source })
}
