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

/// The profile of what is released.
const RELEASE: &str = "release";

/// The image of injected containers.
const DATA_PLANE: &str = "proxy";

#[derive(clap::Args)]
pub struct Args {
    /// Only these images: linkerd-identity, linkerd-destination, linkerd-policy, linkerd-injector,
    /// linkerd-sp-validator, voting, proxy
    names: Vec<String>,
    /// The linkerd2-proxy to put into the image `proxy`, with its libraries; without it the program
    /// that stands in for the proxy in tests is taken
    #[arg(long, value_name = "PATH")]
    proxy: Option<PathBuf>,
    /// How the programs are built; `dev` takes less time, and makes images many times larger
    #[arg(long, value_name = "NAME", default_value = RELEASE)]
    profile: String,
    /// What the names of images begin with
    #[arg(long, default_value = "localhost/linkerd-rs")]
    registry: String,
    /// By default the version of this workspace
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
}

pub fn run(args: &Args) -> Result<()> {
    let known = || PROGRAMS.iter().map(|program| program.name).chain([DATA_PLANE]);
    if let Some(unknown) = args.names.iter().find(|name| known().all(|known| known != *name)) {
        bail!("there is no image named {unknown:?}; known: {}", known().collect::<Vec<_>>().join(", "));
    }
    let chosen = |name: &str| args.names.is_empty() || args.names.iter().any(|chosen| chosen == name);
    let programs: Vec<_> = PROGRAMS.iter().filter(|program| chosen(program.name)).collect();
    let data_plane = chosen(DATA_PLANE) && has_proxy(args)?;

    heading(&format!("static programs, profile {}", args.profile));
    // All of them whichever images are wanted: which features their dependencies have, and with it
    // the digests, depends on what is built together.
    let mut packages: Vec<_> = PROGRAMS.iter().map(|program| program.package).collect();
    packages.extend(data_plane::PACKAGES);
    packages.extend(data_plane::has_double().then_some(data_plane::DOUBLE));
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
    if data_plane {
        let proxy = args.proxy.clone().unwrap_or_else(|| binaries.join(data_plane::DOUBLE));
        let layer = data_plane::layer(&binaries, &proxy)?;
        write(args, DATA_PLANE, layer, "/usr/lib/linkerd/linkerd2-proxy-identity", "2102")?;
    }
    Ok(())
}

/// Whether there is something to put in the proxy's place. Says so if not, unless it was asked for.
fn has_proxy(args: &Args) -> Result<bool> {
    if args.proxy.is_some() || data_plane::has_double() {
        return Ok(true);
    }
    let reason = "the image `proxy` needs a linkerd2-proxy; name one with --proxy PATH";
    ensure!(args.names.iter().all(|name| name != DATA_PLANE), reason);
    eprintln!("  left out: {reason}");
    Ok(false)
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
