//! Where the programs of the node are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{tools, workspace};

/// Where a package puts programs.
const FOLDERS: &[&str] = &["usr/bin", "usr/sbin", "bin", "sbin"];

pub struct Programs {
    paths: BTreeMap<&'static str, PathBuf>,
    /// Where containerd and its companions were unpacked.
    node: PathBuf,
}

impl Programs {
    /// Builds or unpacks what is missing.
    pub fn provide() -> Result<Self> {
        let mut paths = BTreeMap::new();
        let servers = tools::FOR_TESTS.iter().filter(|tool| tool.in_assets);
        for tool in servers.chain(tools::FOR_CLUSTER).chain([tools::KUBECTL]) {
            paths.insert(tool.name, tools::provide(tool)?);
        }
        let node = tools::provide_packages(tools::NODE_PACKAGES)?;
        for name in ["containerd", "ctr", "runc"] {
            paths.insert(name, find(&node, name)?);
        }
        let busybox = tools::provide_packages(tools::BUSYBOX_PACKAGES)?;
        paths.insert("busybox", find(&busybox, "busybox")?);
        eprintln!("  {} programs, in {}", paths.len(), workspace::relative(&workspace::tools()).display());
        Ok(Self { paths, node })
    }

    pub fn path(&self, name: &str) -> Result<&Path> {
        self.paths.get(name).map(PathBuf::as_path).with_context(|| format!("{name} is no program of the node"))
    }

    /// Where the CNI plug-ins are.
    pub fn cni(&self) -> PathBuf {
        self.node.join("usr/lib/cni")
    }

    /// The `PATH` of whatever runs on the node: containerd starts its shim by name.
    pub fn search_path(&self) -> OsString {
        let mut path = OsString::new();
        for folder in FOLDERS {
            path.push(self.node.join(folder));
            path.push(":");
        }
        path.push("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        path
    }
}

fn find(root: &Path, name: &str) -> Result<PathBuf> {
    let mut candidates = FOLDERS.iter().map(|folder| root.join(folder).join(name));
    candidates
        .find(|path| path.is_file())
        .with_context(|| format!("the package unpacked in {} has no {name}", root.display()))
}
