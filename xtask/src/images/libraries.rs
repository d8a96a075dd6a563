//! The shared libraries of programs that are not linked statically.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::layer::Layer;
use crate::run;

/// Adds what the loader would open for `programs`: their libraries and itself.
///
/// Libraries are looked for below `root` first, where a package was unpacked, then on this machine.
pub fn add(layer: &mut Layer, programs: &[PathBuf], root: &Path) -> Result<()> {
    let mut command = Command::new("ldd");
    command.args(programs).env("LC_ALL", "C");
    command.env("LD_LIBRARY_PATH", std::env::join_paths(folders(root))?);
    let output = match run::output(&mut command) {
        Ok(output) => output,
        // What ldd says of a static program is that, as a failure.
        Err(error) if error.to_string().contains("not a dynamic executable") => return Ok(()),
        Err(error) => return Err(error),
    };
    for library in opened(&output)? {
        let place = library.strip_prefix(root).unwrap_or(&library);
        layer.program(&place.display().to_string(), &library)?;
    }
    Ok(())
}

/// Where Debian keeps libraries.
fn folders(root: &Path) -> Vec<PathBuf> {
    let architecture = format!("{}-linux-gnu", std::env::consts::ARCH);
    ["usr/lib", "lib"].map(|folder| root.join(folder).join(&architecture)).into()
}

/// The files in the output of ldd, whose lines are `name => /path (address)` or `/path (address)`.
fn opened(output: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for line in output.lines() {
        if line.contains("=> not found") {
            bail!("a library is missing on this machine: {}", line.trim());
        }
        let path = line.split(" => ").last().unwrap_or("").trim();
        if let Some((path, _)) = path.rsplit_once(" (0x")
            && path.starts_with('/')
        {
            files.push(PathBuf::from(path));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
/cache/usr/sbin/xtables-nft-multi:
\tlinux-vdso.so.1 (0x00007ffd0a5d5000)
\tlibmnl.so.0 => /cache/usr/lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f6b7c0f0000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f6b7be00000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f6b7c1ff000)
/cache/usr/sbin/xtables-legacy-multi:
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f6b7be00000)
\tstatically linked
";

    #[test]
    fn libraries_and_the_loader_are_found_once() {
        let files = opened(OUTPUT).unwrap();
        let expected = [
            "/cache/usr/lib/x86_64-linux-gnu/libmnl.so.0",
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn a_missing_library_is_an_error() {
        assert!(opened("\tlibmnl.so.0 => not found\n").is_err());
    }
}
