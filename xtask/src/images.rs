//! `cargo xtask images`: our programs as container images, made without a container engine.
//!
//! Each image is one static program FROM scratch, as an OCI archive that `docker load`,
//! `kind load image-archive` and `ctr images import` take. Equal programs give equal digests.

pub mod archive;
mod binaries;
mod data_plane;
pub mod layer;
mod libraries;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::progress::{Step, heading};
use crate::workspace;
use archive::{Image, Written};
use layer::Layer;

/// Above it something has been linked that was not meant to be.
const LIMIT: u64 = 20_000_000;

/// An image of one program.
struct Program {
    /// Name of the image, and of the program in it.
    name: &'static str,
    package: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { name: "linkerd-identity", package: "linkerd-identity" },
    Program { name: "linkerd-destination", package: "linkerd-destination" },
    Program { name: "linkerd-policy", package: "linkerd-policy" },
    Program { name: "linkerd-injector", package: "linkerd-injector" },
    Program { name: "linkerd-sp-validator", package: "linkerd-sp-validator" },
    Program { name: "voting", package: "voting-app" },
];

/// What the names of images begin with.
const REGISTRY: &str = "localhost/linkerd-rs";

/// The profile of what is released.
pub const RELEASE: &str = "release";

/// The image of injected containers.
const DATA_PLANE: &str = "proxy";

#[derive(clap::Args)]
pub struct Args {
    /// Only these images: linkerd-identity, linkerd-destination, linkerd-policy, linkerd-injector,
    /// linkerd-sp-validator, voting, proxy
    names: Vec<String>,
    /// The linkerd2-proxy to put into the image `proxy`, with its libraries; without it the double is
    /// taken, which speaks to the control plane as a proxy does and forwards traffic in plain text
    #[arg(long, value_name = "PATH")]
    proxy: Option<PathBuf>,
    /// How the programs are built; `dev` takes less time, and makes images many times larger
    #[arg(long, value_name = "NAME", default_value = RELEASE)]
    profile: String,
    /// What the names of images begin with
    #[arg(long, default_value = REGISTRY)]
    registry: String,
    /// By default the version of this workspace
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
}

impl Args {
    /// Every image, with the names that the charts use.
    pub fn all(proxy: Option<PathBuf>, profile: &str) -> Self {
        let (registry, tag) = (REGISTRY.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { names: Vec::new(), proxy, profile: profile.to_owned(), registry, tag }
    }
}

/// Name of the image of injected containers, as [`Args::all`] makes it.
pub fn proxy_name() -> String {
    format!("{REGISTRY}/{DATA_PLANE}")
}

pub fn run(args: &Args) -> Result<()> {
    let known = || PROGRAMS.iter().map(|program| program.name).chain([DATA_PLANE]);
    if let Some(unknown) = args.names.iter().find(|name| known().all(|known| known != *name)) {
        bail!("there is no image named {unknown:?}; known: {}", known().collect::<Vec<_>>().join(", "));
    }
    let chosen = |name: &str| args.names.is_empty() || args.names.iter().any(|chosen| chosen == name);
    let programs: Vec<_> = PROGRAMS.iter().filter(|program| chosen(program.name)).collect();

    heading(&format!("static programs, profile {}", args.profile));
    // All of them whichever images are wanted: which features their dependencies have, and with it
    // the digests, depends on what is built together.
    let mut packages: Vec<_> = PROGRAMS.iter().map(|program| program.package).collect();
    packages.extend(data_plane::PACKAGES);
    let binaries = binaries::build(&packages, &args.profile)?;

    heading("images");
    fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
    for program in programs {
        let mut layer = Layer::default();
        layer.program(program.name, &binaries.join(program.name))?;
        layer.scratch("tmp");
        let written = write(args, program.name, layer, &format!("/{}", program.name), "65534")?;
        let large = args.profile == RELEASE && written.size > LIMIT;
        ensure!(!large, "image {} has {} bytes, {LIMIT} are allowed", program.name, written.size);
    }
    if chosen(DATA_PLANE) {
        let proxy = args.proxy.clone().unwrap_or_else(|| binaries.join(data_plane::DOUBLE));
        let layer = data_plane::layer(&binaries, &proxy)?;
        write(args, DATA_PLANE, layer, "/usr/lib/linkerd/linkerd2-proxy-identity", "2102")?;
    }
    Ok(())
}

fn write(args: &Args, name: &str, layer: Layer, entrypoint: &str, user: &str) -> Result<Written> {
    let image = Image {
        name: format!("{}/{name}:{}", args.registry.trim_end_matches('/'), args.tag),
        layer,
        entrypoint: vec![entrypoint.to_owned()],
        user: user.to_owned(),
    };
    let step = Step::start(&image.name);
    let path = folder().join(format!("{name}.tar"));
    let written = image.write(&path)?;
    let megabytes = written.size as f64 / 1e6;
    step.finish(format_args!("{}, {megabytes:.1} MB, {}", workspace::relative(&path).display(), written.digest));
    Ok(written)
}

/// Where the archives are.
pub fn folder() -> PathBuf {
    workspace::root().join("target/images")
}

/// The archives that are there, in the order of their names.
pub fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut archives = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tar") {
            archives.push(path);
        }
    }
    archives.sort();
    Ok(archives)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn images_have_the_names_that_the_chart_refers_to() {
        let chart = workspace::root().join("charts/linkerd-control-plane");
        let values = fs::read_to_string(chart.join("values.yaml")).unwrap();
        let value = |key: &str| {
            let line = values.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
            line.unwrap().to_owned()
        };
        let Line { args } = Line::parse_from(["images"]);
        assert_eq!(args.registry, value("imageRegistry"));
        assert_eq!(args.tag, value("linkerdVersion"));
        for entry in fs::read_dir(chart.join("templates")).unwrap() {
            let template = fs::read_to_string(entry.unwrap().path()).unwrap();
            for part in template.split("\"image\" \"").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(PROGRAMS.iter().any(|program| program.name == name), "no image {name}");
            }
        }
    }
}
