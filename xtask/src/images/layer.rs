//! The file system of an image, as one layer whose bytes depend on nothing but its content.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

/// What programs may do with the network, as the extended attribute `security.capability` holds it:
/// revision 2, effective; permitted, inheritable: NET_ADMIN (12) and NET_RAW (13).
///
/// The layout is `struct vfs_cap_data` of Linux's `uapi/linux/capability.h`, in little endian.
const NETWORK_CAPABILITIES: [u8; 20] = [0x01, 0, 0, 0x02, 0, 0x30, 0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Files by path, without the leading slash. The folders above them are made as they are needed.
#[derive(Default)]
pub struct Layer {
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    Folder { mode: u32 },
    File { content: Vec<u8>, mode: u32, capabilities: bool },
    Link { target: String },
}

impl Layer {
    /// A file of this machine, which everybody may read and run.
    pub fn program(&mut self, path: &str, source: &Path) -> Result<()> {
        let content = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        self.add(path, Entry::File { content, mode: 0o755, capabilities: false });
        Ok(())
    }

    /// A program that may change the network of its pod, whichever user it runs as.
    pub fn network_program(&mut self, path: &str, source: &Path) -> Result<()> {
        let content = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        self.add(path, Entry::File { content, mode: 0o755, capabilities: true });
        Ok(())
    }

    pub fn link(&mut self, path: &str, target: &str) {
        self.add(path, Entry::Link { target: target.to_owned() });
    }

    /// A folder that everybody may write to.
    pub fn scratch(&mut self, path: &str) {
        self.add(path, Entry::Folder { mode: 0o1777 });
    }

    fn add(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            self.entries.entry(path[..at].to_owned()).or_insert(Entry::Folder { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The layer as an uncompressed tar archive, in the order of paths and without times.
    pub fn to_tar(&self) -> Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            match entry {
                Entry::Folder { mode } => {
                    append(&mut archive, header(EntryType::Directory, *mode), &format!("{path}/"), &[])?;
                }
                Entry::File { content, mode, capabilities } => {
                    if *capabilities {
                        let attribute = ("SCHILY.xattr.security.capability", &NETWORK_CAPABILITIES[..]);
                        archive.append_pax_extensions([attribute])?;
                    }
                    append(&mut archive, header(EntryType::Regular, *mode), path, content)?;
                }
                Entry::Link { target } => {
                    archive.append_link(&mut header(EntryType::Symlink, 0o777), path, target)?;
                }
            }
        }
        Ok(archive.into_inner()?)
    }
}

/// Adds one file to an archive; always the same bytes for the same file.
pub fn append(archive: &mut Builder<Vec<u8>>, mut header: Header, path: &str, content: &[u8]) -> Result<()> {
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, content).with_context(|| format!("cannot archive {path}"))
}

/// A header without a time or an owner other than root.
pub fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(folder: &Path, order: &[&str]) -> Vec<u8> {
        let mut layer = Layer::default();
        for name in order {
            let source = folder.join(name);
            fs::write(&source, name).unwrap();
            layer.program(&format!("/usr/bin/{name}"), &source).unwrap();
        }
        layer.to_tar().unwrap()
    }

    #[test]
    fn the_order_and_time_of_additions_do_not_matter() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(layer(one.path(), &["a", "b"]), layer(two.path(), &["b", "a"]));
    }

    #[test]
    fn folders_come_before_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = layer(folder.path(), &["a"]);
        let mut archive = tar::Archive::new(&bytes[..]);
        let paths: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(paths, ["usr/", "usr/bin/", "usr/bin/a"]);
    }

    #[test]
    fn a_network_program_has_its_capabilities_in_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("init"), "").unwrap();
        let mut layer = Layer::default();
        layer.network_program("init", &folder.path().join("init")).unwrap();
        let bytes = layer.to_tar().unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let extensions = entry.pax_extensions().unwrap().unwrap();
        let attributes: Vec<_> = extensions.map(|extension| extension.unwrap()).collect();
        assert_eq!(attributes[0].key(), Ok("SCHILY.xattr.security.capability"));
        assert_eq!(attributes[0].value_bytes(), NETWORK_CAPABILITIES);
    }
}
