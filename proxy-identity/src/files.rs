//! Files that only their owner may read.

use crate::log;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}: {source}; the volume must be writable for the proxy's user")]
pub struct Error {
    path: String,
    #[source]
    source: io::Error,
}

/// Writes a file with mode 0600, or puts it in the place of an old one, whatever mode that had.
///
/// # Errors
/// When the directory is not writable or full, or `path` is a directory.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = || -> io::Result<()> {
        if path.try_exists()? {
            log::info(&format!("replacing {}, left by an earlier start of this container", path.display()));
        }
        let new = path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?.write_all(content)?;
        fs::rename(&new, path)
    };
    written().map_err(|source| Error { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_old_file_is_replaced_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.p8");
        fs::write(&path, "old and longer").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(folder.path().join("key.new"), "half a file").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.p8");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new").unwrap_err().to_string().contains("key.p8"));
    }
}
