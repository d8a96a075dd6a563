//! How the node and this machine reach one another, and the node the rest of the world.
//!
//! A pair of links joins the two network namespaces. Everything that Kubernetes does to the network
//! happens in the node's, which goes with it. On this machine there are the link, which goes too, an
//! nftables table of our own, and the forwarding of packets.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::namespaces::Namespaces;
use super::{NAME, state};
use crate::run;

/// The network between this machine and the node, and their addresses in it.
const LINK_NETWORK: &str = "10.250.0.0/24";
const MACHINE: &str = "10.250.0.1";
pub const NODE: &str = "10.250.0.2";
/// The addresses of pods: all of the only node's.
pub const PODS: &str = "10.244.0.0/24";
pub const SERVICES: &str = "10.96.0.0/16";
pub const API_SERVICE: &str = "10.96.0.1";
pub const DNS_SERVICE: &str = "10.96.0.10";
pub const API_PORT: u16 = 6443;

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

/// Fails if there is a node already, say of another checkout.
pub fn ensure_free() -> Result<()> {
    ensure!(
        !link_exists(),
        "the network link {NAME} exists, so another checkout's node is running: end it there with \
         `cargo xtask cluster down`, or end the process that `pgrep --full {NAME}-node` finds"
    );
    Ok(())
}

pub fn connect(namespaces: &Namespaces) -> Result<()> {
    let ip = |arguments: &str| run::output(Command::new("ip").args(arguments.split(' '))).map(drop);
    let inside = |arguments: &str| run::output(namespaces.command("ip").args(arguments.split(' '))).map(drop);
    let process = namespaces.process();
    ip(&format!("link add {NAME} type veth peer name eth0 netns {process}"))?;
    ip(&format!("address add {MACHINE}/24 dev {NAME}"))?;
    ip(&format!("link set {NAME} up"))?;
    inside("link set lo up")?;
    inside(&format!("address add {NODE}/24 dev eth0"))?;
    inside("link set eth0 up")?;
    inside(&format!("route add default via {MACHINE}"))?;
    // Tests on this machine may speak to pods and Services.
    for network in [PODS, SERVICES] {
        ip(&format!("route add {network} via {NODE}"))
            .with_context(|| format!("this machine has a route to {network}, which the cluster uses"))?;
    }
    run::output(namespaces.command("sysctl").args(["-q", "-w", "net.ipv4.ip_forward=1"]))?;
    forward()
}

/// Lets the node reach what this machine reaches, say to pull images.
fn forward() -> Result<()> {
    let current = fs::read_to_string(FORWARDING).with_context(|| format!("cannot read {FORWARDING}"))?;
    state::write("ip_forward", current.trim())?;
    fs::write(FORWARDING, "1").with_context(|| format!("cannot write {FORWARDING}"))?;
    state::write("config/network.nft", &table())?;
    run::output(Command::new("nft").arg("--file").arg(state::folder().join("config/network.nft"))).map(drop)
}

fn table() -> String {
    format!(
        "table ip {NAME} {{\n\
         \tchain outward {{\n\
         \t\ttype nat hook postrouting priority srcnat;\n\
         \t\tip saddr {LINK_NETWORK} oifname != \"{NAME}\" masquerade\n\
         \t}}\n\
         }}\n"
    )
}

/// Undoes [`connect()`] on this machine, once the node is gone.
pub fn disconnect() -> Result<()> {
    if run::succeeds(Command::new("nft").args(["list", "table", "ip", NAME])) {
        run::output(Command::new("nft").args(["delete", "table", "ip", NAME]))?;
    }
    if let Some(before) = state::read("ip_forward")? {
        fs::write(FORWARDING, before).with_context(|| format!("cannot write {FORWARDING}"))?;
    }
    // It would go with the node's namespace, which the kernel keeps while connections in it time out.
    if link_exists() {
        run::output(Command::new("ip").args(["link", "delete", NAME]))?;
    }
    Ok(())
}

fn link_exists() -> bool {
    Path::new("/sys/class/net").join(NAME).exists()
}
