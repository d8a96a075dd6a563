//! `cargo xtask cluster`: a Kubernetes cluster to develop against and to test on.
//!
//! With a docker engine at hand the cluster is kind's or k3d's. Without, it is a single node of
//! Kubernetes' own programs on this machine, in namespaces of its own.

mod credentials;
mod engine;
mod node;
mod state;
mod test;
mod wait;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Subcommand, ValueEnum};

use crate::progress::{Elapsed, heading};
use crate::{images, run, tools};

/// A Kubernetes cluster to develop against: kind, k3d, or a single node on this machine
///
/// With a docker engine (`docker info` succeeds) it is made by kind, or by k3d if only that is
/// installed. These two are a few commands each, and have never been tried.
///
/// Without a docker engine it is a single node on this machine. That needs root, and Debian or
/// Ubuntu. etcd, Kubernetes and CoreDNS are provided in .cache/tools: built from their Go modules,
/// which takes some 10 minutes, once. containerd, runc and the CNI plug-ins are unpacked from
/// Debian's packages, not installed; the packages conntrack, iproute2, iptables and nftables are
/// installed where they are missing.
///
/// The node lives in mount, process and network namespaces of its own, so that `down` leaves
/// nothing behind. On this machine there are, while it is up: the network link linkerd-rs, routes
/// to pods (10.244.0.0/24) and Services (10.96.0.0/16), an nftables table that lets the node reach
/// what this machine reaches, forwarding of packets, and a control group.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start the cluster, or whatever of it is not running, and wait until it is ready
    Up(Up),
    /// Stop the cluster and remove everything of it
    Down,
    /// Show the components, the node and the pods
    Status,
    /// Import images into the cluster
    Load(Load),
    /// Install the control plane and the demo in the cluster, disturb both, and uninstall them
    Test(test::Args),
}

#[derive(clap::Args)]
struct Up {
    /// What makes the cluster, instead of what fits this machine
    #[arg(long, value_name = "WHAT")]
    with: Option<Provider>,
}

#[derive(clap::Args)]
struct Load {
    /// Archives of images, instead of those that `cargo xtask images` made
    archives: Vec<PathBuf>,
}

/// What makes a cluster.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    Kind,
    K3d,
    Node,
}

/// Where programs look for the way to the internet.
const PROXY_VARIABLES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Up(up) => self::up(up),
        Action::Down => down(),
        Action::Status => status(),
        Action::Load(load) => self::load(load),
        Action::Test(args) => test::run(args),
    }
}

fn up(args: &Up) -> Result<()> {
    let started = Instant::now();
    let recorded = state::provider()?;
    let provider = args.with.or(recorded).unwrap_or_else(fitting);
    if let Some(other) = recorded.filter(|recorded| *recorded != provider) {
        bail!("there is a cluster made with {}; remove it with `cargo xtask cluster down`", other.name());
    }
    let kubectl = tools::provide(tools::KUBECTL)?;
    match provider {
        Provider::Node => node::up()?,
        Provider::Kind | Provider::K3d => engine::up(provider)?,
    }
    eprintln!("\nThe cluster is ready, after {}. To use it with kubectl in this shell:", Elapsed(started.elapsed()));
    println!("export KUBECONFIG={}", state::kubeconfig().display());
    println!("export PATH={}:$PATH", kubectl.parent().unwrap_or(&kubectl).display());
    Ok(())
}

fn down() -> Result<()> {
    match state::provider()? {
        None => eprintln!("There is no cluster."),
        Some(Provider::Node) => node::down()?,
        Some(provider) => engine::down(provider)?,
    }
    Ok(())
}

fn status() -> Result<()> {
    let Some(provider) = state::provider()? else {
        eprintln!("There is no cluster; `cargo xtask cluster up` makes one.");
        return Ok(());
    };
    if provider == Provider::Node {
        heading("components");
        node::show_components()?;
    }
    heading("nodes");
    run::visible(kubectl()?.args(["get", "nodes", "--output=wide"]))?;
    heading("pods");
    run::visible(kubectl()?.args(["get", "pods", "--all-namespaces", "--output=wide"]))
}

fn load(args: &Load) -> Result<()> {
    let provider = state::provider()?.context("there is no cluster; `cargo xtask cluster up` makes one")?;
    let archives = match &args.archives[..] {
        [] => images::archives(&images::folder())?,
        named => named.to_vec(),
    };
    ensure!(!archives.is_empty(), "there are no images; `cargo xtask images` makes them");
    match provider {
        Provider::Node => node::load(&archives),
        Provider::Kind | Provider::K3d => engine::load(provider, &archives),
    }
}

impl Provider {
    fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::K3d => "k3d",
            Self::Node => "node",
        }
    }
}

/// Runs the suite on a cluster that is there for it alone, unless one was up already.
///
/// For CI: without a proxy at hand, and with programs that are built quickly.
pub fn ci() -> Result<()> {
    let was_up = state::provider()?.is_some();
    up(&Up { with: None })?;
    test::run(&test::Args::quick())?;
    if was_up {
        return Ok(());
    }
    down()
}

/// Why this machine can have no cluster, if that is so.
pub fn obstacle() -> Option<String> {
    match fitting() {
        Provider::Node => node::obstacle(),
        Provider::Kind | Provider::K3d => None,
    }
}

/// What this machine has the means for.
fn fitting() -> Provider {
    if !run::succeeds(Command::new("docker").arg("info")) {
        Provider::Node
    } else if tools::on_path("k3d") && !tools::on_path("kind") {
        Provider::K3d
    } else {
        Provider::Kind
    }
}

/// `kubectl` as the administrator of the cluster.
fn kubectl() -> Result<Command> {
    let mut command = Command::new(tools::provide(tools::KUBECTL)?);
    command.arg(format!("--kubeconfig={}", state::kubeconfig().display()));
    // The cluster is on this machine, which a proxy for the internet does not know.
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    Ok(command)
}
