//! The charts, rendered by the real helm: the only source of the objects that are installed.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::child::hermetic;
use crate::tools;

/// The manifests of a chart in `charts/`, with `arguments` for `helm template` (say `--set a=b`).
pub fn template(chart: &str, arguments: &[&str]) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts").join(chart);
    let output = hermetic(tools::provided("helm")?)
        .args(["template", chart])
        .arg(&folder)
        .args(["--namespace", "linkerd"])
        .args(arguments)
        .output()
        .context("cannot start helm")?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("helm cannot render charts/{chart}: {}", reason.trim());
    }
    String::from_utf8(output.stdout).context("helm printed something other than text")
}
