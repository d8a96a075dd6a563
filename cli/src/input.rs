//! Manifests that a command reads: standard input, files, folders, or addresses.

mod download;

use anyhow::{Context as _, anyhow};
use linkerd_injector::manifest::Input;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// One text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    text: String,
}

impl Manifest {
    /// The text, as the transformations take it.
    pub fn as_input(&self) -> Input<'_> {
        Input { name: &self.name, text: &self.text }
    }
}

/// Reads what the first argument of a command names; further ones are ignored, as they always were.
///
/// # Errors
/// When there is none, or something cannot be read, or is no text.
pub fn read(arguments: &[String]) -> anyhow::Result<Vec<Manifest>> {
    let source = arguments.first().ok_or_else(|| anyhow!("please specify a kubernetes resource file"))?;
    if source == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(vec![manifest("standard input".to_owned(), bytes)?]);
    }
    if let Some(url) = download::url(source)? {
        return Ok(vec![manifest(source.clone(), download::download(url)?)?]);
    }
    let mut files = Vec::new();
    walk(Path::new(source), &mut files)?;
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        manifest(path.display().to_string(), bytes)
    };
    files.into_iter().map(read).collect()
}

fn manifest(name: String, bytes: Vec<u8>) -> anyhow::Result<Manifest> {
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("{name} is not text in UTF-8"))?;
    Ok(Manifest { name, text })
}

/// Collects the files below a path in lexical order, whatever their extension. Links to folders inside
/// are not followed, so that no loop is.
fn walk(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let named = || format!("cannot read {}", path.display());
    if !fs::metadata(path).with_context(named)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.with_context(named)?;
    entries.sort();
    entries
        .into_iter()
        .filter(|entry| !(entry.is_symlink() && entry.is_dir()))
        .try_for_each(|entry| walk(&entry, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_walked_in_lexical_order_whatever_the_extension() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for file in ["c.txt", "b/nested.json", "a.yaml", "b/also"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("b/loop")).unwrap();
        let manifests = read(&[folder.path().display().to_string(), "ignored".to_owned()]).unwrap();
        let texts: Vec<_> = manifests.iter().map(|manifest| manifest.text.as_str()).collect();
        assert_eq!(texts, ["a.yaml", "b/also", "b/nested.json", "c.txt"]);
        assert!(manifests[1].name.ends_with("b/also"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = |argument: &str| format!("{:#}", read(&[argument.to_owned()]).unwrap_err());
        assert!(error("no/such/file.yaml").starts_with("cannot read no/such/file.yaml: No such file"));
        assert_eq!(read(&[]).unwrap_err().to_string(), "please specify a kubernetes resource file");
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("image.png");
        fs::write(&binary, b"\xff\xfe").unwrap();
        assert!(error(&binary.display().to_string()).ends_with("image.png is not text in UTF-8"));
    }
}
