//! `cargo xtask generate`: files that are made from the code, and committed.
//!
//! They are committed so that a reader and `helm` need no build; CI fails when one of them is
//! not what the code would make.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// What makes some of the files. Paths are relative to the root of the checkout.
struct Generator {
    /// What is made, for people.
    name: &'static str,
    make: fn() -> Result<Vec<(PathBuf, String)>>,
}

/// Add to this table whatever is generated.
const GENERATORS: &[Generator] =
    &[Generator { name: "custom resource definitions", make: || Ok(linkerd_k8s::crd::chart_files()?) }];

#[derive(clap::Args)]
pub struct Args {
    /// Change nothing, and fail when a file is not up to date
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    for generator in GENERATORS {
        let (name, files) = made(generator)?;
        let stale = outdated(workspace::root(), &files)?;
        for (path, content) in &stale {
            write(&workspace::root().join(path), content)?;
        }
        eprintln!("  {name}: {} files, {} written", files.len(), stale.len());
    }
    Ok(())
}

/// Fails when a generated file is not what the code makes.
pub fn check() -> Result<()> {
    let mut stale = Vec::new();
    for generator in GENERATORS {
        let (name, files) = made(generator)?;
        let outdated = outdated(workspace::root(), &files)?;
        eprintln!("  {name}: {} files, {} outdated", files.len(), outdated.len());
        stale.extend(outdated.into_iter().map(|(path, _)| path.display().to_string()));
    }
    if !stale.is_empty() {
        bail!("generated files are not up to date; run `cargo xtask generate` and commit:\n- {}", stale.join("\n- "));
    }
    Ok(())
}

fn made(generator: &Generator) -> Result<(&'static str, Vec<(PathBuf, String)>)> {
    let files = (generator.make)().with_context(|| format!("cannot generate {}", generator.name))?;
    Ok((generator.name, files))
}

/// Those of `files` below `root` that are missing or hold something else.
fn outdated<'a>(root: &Path, files: &'a [(PathBuf, String)]) -> Result<Vec<&'a (PathBuf, String)>> {
    let mut outdated = Vec::new();
    for file in files {
        let (path, content) = file;
        match fs::read_to_string(root.join(path)) {
            Ok(current) if current == *content => {}
            Ok(_) => outdated.push(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => outdated.push(file),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        }
    }
    Ok(outdated)
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_changed_files_are_outdated_and_others_are_not() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("same"), "1").unwrap();
        fs::write(root.path().join("changed"), "1").unwrap();
        let file = |path: &str, content: &str| (PathBuf::from(path), content.to_owned());
        let files = [file("same", "1"), file("changed", "2"), file("a/missing", "3")];
        let stale: Vec<_> = outdated(root.path(), &files).unwrap();
        assert_eq!(stale, [&files[1], &files[2]]);

        write(&root.path().join("a/missing"), "3").unwrap();
        assert_eq!(outdated(root.path(), &files).unwrap(), [&files[1]]);
    }
}
