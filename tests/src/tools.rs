//! Where the programs are that are not ours.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// A server of the Kubernetes API, from the folder that `KUBEBUILDER_ASSETS` names or else from
/// where `cargo xtask tools` puts it.
pub fn server(name: &str) -> Result<PathBuf> {
    match std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
        None => provided(name),
        Some(assets) => {
            let program = Path::new(&assets).join(name);
            if !program.is_file() {
                bail!("KUBEBUILDER_ASSETS has no {name}; unset it and run `cargo xtask tools`");
            }
            Ok(program)
        }
    }
}

/// A program that `cargo xtask tools` provides.
pub fn provided(name: &str) -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/tools").join(name);
    if !program.is_file() {
        bail!("{name} is not there; run `cargo xtask tools`");
    }
    Ok(program)
}
