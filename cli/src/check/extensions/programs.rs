//! The programs of extensions, on the search path.

use super::call;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest time in which a program says what it is.
const LIMIT: Duration = Duration::from_secs(5);

/// The program of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// All programs `linkerd-*` on a search path, by name; of several with one name, the first counts.
pub fn on_path(path: &OsStr) -> BTreeMap<String, Program> {
    let mut found = BTreeMap::new();
    for folder in std::env::split_paths(path) {
        // A folder that is not there or may not be read has no programs.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with("linkerd-") && is_executable(&entry.path()) {
                found.entry(name.clone()).or_insert_with(|| Program { name, path: entry.path() });
            }
        }
    }
    found
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Whether a program says of itself that it is to be checked even if its extension is not installed.
pub async fn says_always(program: &Program) -> bool {
    #[derive(Deserialize)]
    struct Metadata {
        name: String,
        checks: String,
    }
    let Ok(output) = call(&program.path, &["_extension-metadata".to_owned()], LIMIT).await else { return false };
    let metadata: serde_json::Result<Metadata> = serde_json::from_slice(&output.stdout);
    metadata.is_ok_and(|metadata| metadata.checks == "always" && metadata.name.eq_ignore_ascii_case(&program.name))
}
