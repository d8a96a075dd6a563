//! The release archive of servers for controller tests (etcd, kube-apiserver, kubectl).
//!
//! Downloaded with the machine's `curl`, so that xtask needs no HTTP client. A machine without
//! access to the archive finds out in seconds and once per run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};

use crate::progress::Step;
use crate::{run, tools};

/// Where the programs are inside the archive.
const FOLDER: &str = "controller-tools/envtest";

/// An unpacked program of the archive at `url`.
pub fn member(url: &str, name: &str) -> Result<PathBuf> {
    static UNPACKED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = UNPACKED
        .get_or_init(|| download(url).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))?;
    let file = folder.join(FOLDER).join(name);
    ensure!(file.is_file(), "the archive has no {name}");
    Ok(file)
}

fn download(url: &str) -> Result<PathBuf> {
    let folder = tools::build_folder("envtest")?;
    let archive = folder.join("envtest.tar.gz");
    let digest = folder.join("envtest.tar.gz.sha512");
    let step = Step::start("etcd, kube-apiserver: downloading the envtest release");
    // The small file first: it tells whether there is a way to the archive at all.
    fetch(&format!("{url}.sha512"), &digest)?;
    fetch(url, &archive)?;
    verify(&archive, &digest)?;
    run::output(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
    std::fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    step.finish("unpacked");
    Ok(folder)
}

fn fetch(url: &str, to: &Path) -> Result<()> {
    let limits = ["--connect-timeout", "5", "--speed-time", "20", "--max-time", "300"];
    run::output(
        Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--location"])
            .args(limits)
            .arg("--output")
            .arg(to)
            .arg(url),
    )
    .map(drop)
    .map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or("").to_owned();
        anyhow!("no download: {cause}")
    })
}

fn verify(archive: &Path, digest: &Path) -> Result<()> {
    let expected = std::fs::read_to_string(digest).with_context(|| format!("cannot read {}", digest.display()))?;
    let expected = expected.split_whitespace().next().unwrap_or("");
    let actual = run::output(Command::new("sha512sum").arg(archive))?;
    let actual = actual.split_whitespace().next().unwrap_or("");
    ensure!(
        expected == actual && !actual.is_empty(),
        "the archive's SHA-512 is {actual}, and its release says {expected}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_differs_from_its_digest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive");
        let digest = folder.path().join("digest");
        std::fs::write(&archive, "content").unwrap();
        std::fs::write(&digest, "0123  archive\n").unwrap();
        assert!(verify(&archive, &digest).is_err());

        let right = run::output(Command::new("sha512sum").arg(&archive)).unwrap();
        std::fs::write(&digest, right).unwrap();
        verify(&archive, &digest).unwrap();
    }
}
