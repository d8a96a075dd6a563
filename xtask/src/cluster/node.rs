//! A single node of Kubernetes' own programs, in namespaces of its own.

mod cgroups;
mod components;
mod files;
mod namespaces;
mod network;
mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::geteuid;

use super::credentials::{self, Server};
use super::{Provider, kubectl, state, wait};
use crate::images::archive::Image;
use crate::images::layer::Layer;
use crate::progress::{Elapsed, Step, heading};
use crate::{run, tools, workspace};
use components::Component;
use namespaces::Namespaces;
use programs::Programs;

/// The node's name, and that of whatever of it has a name on this machine.
const NAME: &str = "linkerd-rs";
/// Generous: seconds are usual, but a build may be running beside it.
const LIMIT: Duration = Duration::from_secs(180);

/// Starts whatever of the node is not running, and waits until pods can run on it.
pub fn up() -> Result<()> {
    needs_root("up")?;
    heading("programs");
    tools::install_missing_for_node()?;
    let programs = Programs::provide()?;

    heading("node");
    let namespaces = match Namespaces::running()? {
        Some(namespaces) => namespaces,
        None => begin(&programs)?,
    };
    let node = Node { components: components::all(&programs)?, namespaces, programs };
    node.start(&["containerd", "etcd", "kube-apiserver"])?;
    node.until("containerd", "the runtime answers", || node.ctr(&["version"]).map(drop))?;
    node.import_own_images()?;
    node.until("kube-apiserver", "the API server is ready", || {
        run::output(kubectl()?.args(["get", "--raw=/readyz"])).map(drop)
    })?;
    run::output(kubectl()?.arg("apply").arg("--filename").arg(state::folder().join("config/coredns.yaml")))?;
    node.start(&["kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"])?;
    node.until("kubelet", "the node is ready", || {
        let arguments = ["wait", "--for=condition=Ready", "--timeout=1s"];
        run::output(kubectl()?.args(arguments).arg(format!("node/{NAME}"))).map(drop)
    })?;
    node.until("kubelet", "CoreDNS is ready", || {
        let arguments = ["--namespace=kube-system", "rollout", "status", "--timeout=1s", "deployment/coredns"];
        run::output(kubectl()?.args(arguments)).map(drop)
    })
}

/// Ends everything of the node, and undoes what it changed on this machine.
pub fn down() -> Result<()> {
    needs_root("down")?;
    let step = Step::start("removing the node");
    if let Some(namespaces) = Namespaces::running()? {
        namespaces.end()?;
    }
    remove()?;
    step.finish("removed");
    Ok(())
}

/// Removes what is left on this machine when the processes of the node have ended.
fn remove() -> Result<()> {
    network::disconnect()?;
    cgroups::remove()?;
    namespaces::remove_folders()?;
    state::end()
}

/// Prints which components run, and what memory they take.
pub fn show_components() -> Result<()> {
    needs_root("status")?;
    let processes = match Namespaces::running()? {
        Some(namespaces) => namespaces.processes()?,
        None => Vec::new(),
    };
    for name in components::NAMES {
        match processes.iter().find(|process| process.name == *name) {
            Some(process) => eprintln!("  {name:<24} process {:<7} {:>4} MB", process.id, process.memory / 1_000_000),
            None => eprintln!("  {name:<24} does not run; `cargo xtask cluster up` starts it"),
        }
    }
    Ok(())
}

/// Imports images for the pods of the node.
pub fn load(archives: &[PathBuf]) -> Result<()> {
    needs_root("load")?;
    let namespaces = Namespaces::running()?.context("the node does not run; start it with `cargo xtask cluster up`")?;
    let programs = Programs::provide()?;
    Node { components: Vec::new(), namespaces, programs }.import(archives)
}

/// The namespaces of a new node, with their link to this machine, and the files that it starts with.
fn begin(programs: &Programs) -> Result<Namespaces> {
    if state::provider()?.is_some() {
        // Ended by something else, say a restart of this machine: its pods are gone.
        let step = Step::start("removing what is left of an ended node");
        remove()?;
        step.finish("removed");
    }
    network::ensure_free()?;
    state::begin(Provider::Node)?;
    credentials::write(&Server {
        url: format!("https://{}:{}", network::NODE, network::API_PORT),
        names: &[
            network::NODE,
            network::API_SERVICE,
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
        node: NAME,
    })?;
    files::write(programs)?;
    let step = Step::start("namespaces and network");
    cgroups::make()?;
    let namespaces = Namespaces::start()?;
    network::connect(&namespaces)?;
    step.finish(format_args!("the node is {}, its pods are in {}", network::NODE, network::PODS));
    Ok(namespaces)
}

/// Why the node cannot run on this machine, if that is so.
pub fn obstacle() -> Option<String> {
    if let Err(error) = needs_root("test") {
        return Some(error.to_string());
    }
    let namespaces = ["--mount", "--pid", "--net", "--fork", "true"];
    let refused = run::output(Command::new("unshare").args(namespaces)).err()?;
    Some(format!("this machine gives no namespaces: {refused:#}"))
}

fn needs_root(action: &str) -> Result<()> {
    ensure!(geteuid().is_root(), "the single node needs root: `sudo cargo xtask cluster {action}`");
    Ok(())
}

struct Node {
    programs: Programs,
    components: Vec<Component>,
    namespaces: Namespaces,
}

impl Node {
    /// Starts those of the components that do not run.
    fn start(&self, names: &[&str]) -> Result<()> {
        let running = self.namespaces.processes()?;
        let wanted = |component: &&Component| names.contains(&component.name);
        for component in self.components.iter().filter(wanted) {
            if running.iter().all(|process| process.name != component.name) {
                self.namespaces.spawn(component)?;
            }
        }
        Ok(())
    }

    /// Waits for what is expected of a component, as long as it runs.
    fn until(&self, name: &str, expected: &str, probe: impl FnMut() -> Result<()>) -> Result<()> {
        let step = Step::start(expected);
        let alive = || {
            let processes = self.namespaces.processes()?;
            let alive = processes.iter().any(|process| process.name == name);
            ensure!(alive, "{name} ended; {}", namespaces::end_of_log(name));
            Ok(())
        };
        // What has just been started is not a process of its own name at once.
        wait::until(Duration::from_secs(5), || Ok(()), alive)?;
        wait::until(LIMIT, alive, probe)
            .with_context(|| format!("{expected}: no; {}", namespaces::end_of_log(name)))?;
        step.finish("yes");
        Ok(())
    }

    /// The client of containerd.
    fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.namespaces.command(self.programs.path("ctr")?);
        run::output(command.args(["--namespace", "k8s.io"]).args(arguments))
    }

    fn import(&self, archives: &[PathBuf]) -> Result<()> {
        let started = std::time::Instant::now();
        for archive in archives {
            let step = Step::start(format!("importing {}", workspace::relative(archive).display()));
            // The programs of the node see the same files, but stand in another folder.
            let path = std::path::absolute(archive)?;
            ensure!(path.is_file(), "{} does not exist", archive.display());
            let output = self.ctr(&["images", "import", &path.display().to_string()])?;
            step.finish(output.lines().next().unwrap_or("imported").trim_start_matches("unpacking "));
        }
        if archives.len() > 1 {
            eprintln!("  {} images imported in {}", archives.len(), Elapsed(started.elapsed()));
        }
        Ok(())
    }

    /// Imports what every pod needs, and the DNS server.
    fn import_own_images(&self) -> Result<()> {
        let present = self.ctr(&["images", "list", "--quiet"])?;
        let busybox = self.programs.path("busybox")?;
        let images: [(&str, &Path, &[&str]); 3] = [
            (files::PAUSE_IMAGE, busybox, &["/bin/busybox", "sleep", "2147483647"]),
            // For test pods, which give it a command.
            (files::BUSYBOX_IMAGE, busybox, &["/bin/busybox"]),
            (&files::coredns_image(), self.programs.path("coredns")?, &["/bin/coredns"]),
        ];
        let mut archives = Vec::new();
        for (name, program, entrypoint) in images {
            if present.lines().any(|line| line == name) {
                continue;
            }
            let step = Step::start(format!("image {name}"));
            let mut layer = Layer::default();
            layer.program(entrypoint[0], program)?;
            if name == files::BUSYBOX_IMAGE {
                layer.link("bin/sh", "busybox");
            }
            let entrypoint = entrypoint.iter().map(|word| (*word).to_owned()).collect();
            let image = Image { name: name.to_owned(), layer, entrypoint, user: String::new() };
            let path = state::folder().join(format!("{}.tar", name.replace(['/', ':'], "-")));
            image.write(&path)?;
            step.finish("written");
            archives.push(path);
        }
        self.import(&archives)?;
        for archive in archives {
            std::fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        }
        Ok(())
    }
}
