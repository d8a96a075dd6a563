//! Where things are in the checkout.

use std::path::{Path, PathBuf};

/// The root of the checkout, wherever the command was started.
///
/// Taken from where cargo found this crate: `cargo run` builds it in the checkout it is run from.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// What is downloaded or built once and kept; ignored by git, safe to delete.
pub fn cache() -> PathBuf {
    root().join(".cache")
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(folder)
}

/// The folder of ready-to-run tools. The test harness reads the same folder.
pub fn tools() -> PathBuf {
    cache().join("tools")
}

/// `path` as a person in the checkout would type it.
pub fn relative(path: &Path) -> &Path {
    path.strip_prefix(root()).unwrap_or(path)
}
