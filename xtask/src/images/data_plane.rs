//! The image of injected containers: the proxy, and the programs that prepare a pod for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::layer::Layer;
use super::libraries;
use crate::tools;

/// Where the containers of injected pods look for their programs.
const FOLDER: &str = "usr/lib/linkerd";

/// The program that stands in for the proxy where there is none.
pub const DOUBLE: &str = "linkerd2-proxy-double";

/// Packages whose programs are in the image.
pub const PACKAGES: &[&str] = &["linkerd2-proxy-identity", "linkerd2-proxy-init", DOUBLE];

/// The file system of the image, with our programs from the folder `binaries`.
pub fn layer(binaries: &Path, proxy: &Path) -> Result<Layer> {
    let mut layer = Layer::default();
    let program = |name: &str| (format!("{FOLDER}/{name}"), binaries.join(name));
    let (place, source) = program("linkerd2-proxy-init");
    layer.network_program(&place, &source)?;
    for name in ["linkerd2-proxy-identity", "linkerd2-network-validator"] {
        let (place, source) = program(name);
        layer.program(&place, &source)?;
    }
    ensure!(proxy.is_file(), "--proxy: {} is not a file", proxy.display());
    layer.program(&format!("{FOLDER}/linkerd2-proxy"), proxy)?;
    libraries::add(&mut layer, &[proxy.to_owned()], Path::new("/"))?;
    // It is the applet that it is called as. The init container calls sysctl.
    let busybox = tools::provide_packages(tools::BUSYBOX_PACKAGES)?;
    layer.program("bin/sleep", &busybox.join("bin/busybox"))?;
    layer.link("sbin/sysctl", "../bin/sleep");
    iptables(&mut layer)?;
    Ok(layer)
}

/// iptables with both back ends, for both families, by the names that it is called by.
fn iptables(layer: &mut Layer) -> Result<()> {
    let root = tools::provide_packages(tools::IPTABLES_PACKAGES)?;
    let mut programs = Vec::new();
    for backend in ["nft", "legacy"] {
        let multi = format!("xtables-{backend}-multi");
        let program = root.join("usr/sbin").join(&multi);
        // The pod's user is not root, and the programs run one another.
        layer.network_program(&format!("usr/sbin/{multi}"), &program)?;
        programs.push(program);
        for family in ["iptables", "ip6tables"] {
            for action in ["", "-save", "-restore"] {
                layer.link(&format!("usr/sbin/{family}-{backend}{action}"), &multi);
                if backend == "nft" {
                    layer.link(&format!("usr/sbin/{family}{action}"), &multi);
                }
            }
        }
    }
    let extensions = extensions(&root)?;
    for extension in &extensions {
        let place = extension.strip_prefix(&root).context("an extension outside of its package")?;
        layer.program(&place.display().to_string(), extension)?;
    }
    programs.extend(extensions);
    libraries::add(layer, &programs, &root)
}

/// Matches and targets, which iptables loads by name.
fn extensions(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join(format!("usr/lib/{}-linux-gnu/xtables", std::env::consts::ARCH));
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
