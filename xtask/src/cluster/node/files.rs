//! The configuration files of the node's components.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::network::{DNS_SERVICE, PODS};
use super::programs::Programs;
use super::{NAME, state};
use crate::tools;

/// What holds the namespaces of a pod.
pub const PAUSE_IMAGE: &str = "localhost/pause:1";
/// A shell and the usual programs, for test pods.
pub const BUSYBOX_IMAGE: &str = "localhost/busybox:1";

const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
const COREDNS: &str = include_str!("coredns.yaml");

pub fn coredns_image() -> String {
    format!("localhost/coredns:{}", tools::COREDNS)
}

pub fn write(programs: &Programs) -> Result<()> {
    state::write("config/resolv.conf", &resolv_conf()?)?;
    state::write("config/containerd.toml", &containerd(programs)?)?;
    state::write("config/cni/10-node.conflist", &cni())?;
    state::write("config/kubelet.json", &kubelet())?;
    state::write("config/kube-proxy.json", &kube_proxy())?;
    state::write(
        "config/coredns.yaml",
        &COREDNS.replace("COREDNS_IMAGE", &coredns_image()).replace("DNS_SERVICE", DNS_SERVICE),
    )
}

/// This machine's resolver, unless it is on loopback, which for the node is another machine.
fn resolv_conf() -> Result<String> {
    let ours = fs::read_to_string("/etc/resolv.conf").context("cannot read /etc/resolv.conf")?;
    let local = |line: &str| line.trim().starts_with("nameserver 127.");
    if !ours.lines().any(local) {
        return Ok(ours);
    }
    let behind = Path::new("/run/systemd/resolve/resolv.conf");
    Ok(fs::read_to_string(behind).unwrap_or_else(|_| "# this machine's resolver is on loopback\n".to_owned()))
}

fn containerd(programs: &Programs) -> Result<String> {
    let folder = state::folder();
    let folder = folder.display();
    let runc = programs.path("runc")?.display().to_string();
    let cni = programs.cni();
    Ok(format!(
        r#"version = 2
root = "{folder}/containerd"
state = "/run/containerd"

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# A machine that is a container or a small virtual machine may lack CAP_SYS_RESOURCE.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni}"
conf_dir = "{folder}/config/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"#,
        cni = cni.display(),
    ))
}

/// Pods are routed and not bridged: packets between two pods behind one bridge would go past the
/// rules of Services, unless the kernel has a module for it.
fn cni() -> String {
    json!({
        "cniVersion": "1.0.0",
        "name": NAME,
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": PODS }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                    "dataDir": "/run/cni",
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
    .to_string()
}

fn kubelet() -> String {
    let config = |file: &str| state::folder().join("config").join(file);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": config("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{NAME}"),
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        // A full disk is the developer's business; images that were loaded cannot be pulled again.
        "evictionHard": { "memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
        "imageGCHighThresholdPercent": 100,
        "failCgroupV1": false,
        "failSwapOn": false,
        "resolvConf": config("resolv.conf"),
        "serializeImagePulls": false,
    })
    .to_string()
}

fn kube_proxy() -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": state::folder().join("config/kube-proxy.kubeconfig") },
        "clusterCIDR": PODS,
        // The limit is the machine's, and not to be changed from the node's namespace.
        "conntrack": { "maxPerCore": 0 },
        "mode": "iptables",
    })
    .to_string()
}
