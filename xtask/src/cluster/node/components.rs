//! The processes of the node and their command lines.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use super::network::{API_PORT, NODE, PODS, SERVICES};
use super::programs::Programs;
use super::{NAME, state};
use crate::cluster::PROXY_VARIABLES;

/// In the order in which they start.
pub const NAMES: &[&str] =
    &["containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"];

pub struct Component {
    pub name: &'static str,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// `PATH`.
    pub search_path: OsString,
}

impl Component {
    /// Variables that it inherits: containerd pulls images through the proxy that this machine uses.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let inherited = if self.name == "containerd" { PROXY_VARIABLES } else { &[] };
        inherited.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)))
    }
}

pub fn all(programs: &Programs) -> Result<Vec<Component>> {
    let component = |name: &'static str| {
        Ok(Component {
            name,
            program: programs.path(name)?.to_owned(),
            arguments: arguments(name),
            search_path: programs.search_path(),
        })
    };
    NAMES.iter().map(|name| component(name)).collect()
}

fn arguments(name: &str) -> Vec<String> {
    match name {
        "containerd" => vec![format!("--config={}", config("containerd.toml"))],
        "etcd" => etcd(),
        "kube-apiserver" => apiserver(),
        "kube-controller-manager" => controller_manager(),
        "kube-scheduler" => vec![kubeconfig(name), "--leader-elect=false".to_owned()],
        "kubelet" => vec![
            kubeconfig(name),
            format!("--config={}", config("kubelet.json")),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={NODE}"),
        ],
        _ => vec![format!("--config={}", config("kube-proxy.json")), format!("--hostname-override={NAME}")],
    }
}

/// Reached on loopback only, which is the node's own.
fn etcd() -> Vec<String> {
    let flags = [
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--logger=zap",
        "--log-level=warn",
    ];
    let data = format!("--data-dir={}", state::folder().join("etcd").display());
    flags.iter().map(|flag| (*flag).to_owned()).chain([data]).collect()
}

fn apiserver() -> Vec<String> {
    let mut flags = vec![
        "--etcd-servers=http://127.0.0.1:2379".to_owned(),
        format!("--advertise-address={NODE}"),
        format!("--secure-port={API_PORT}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        // Pods may have to be privileged to redirect their traffic.
        "--allow-privileged=true".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        // The node's name does not resolve.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        // Extension API servers.
        "--requestheader-allowed-names=front-proxy-client".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        "--profiling=false".to_owned(),
    ];
    let files = [
        ("tls-cert-file", "apiserver.crt"),
        ("tls-private-key-file", "apiserver.key"),
        ("client-ca-file", "ca.crt"),
        ("token-auth-file", "tokens.csv"),
        ("service-account-key-file", "service-accounts.pub"),
        ("service-account-signing-key-file", "service-accounts.key"),
        ("kubelet-client-certificate", "kubelet-client.crt"),
        ("kubelet-client-key", "kubelet-client.key"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("proxy-client-cert-file", "front-proxy-client.crt"),
        ("proxy-client-key-file", "front-proxy-client.key"),
    ];
    flags.extend(files.map(|(flag, file)| format!("--{flag}={}", config(file))));
    flags
}

fn controller_manager() -> Vec<String> {
    vec![
        kubeconfig("kube-controller-manager"),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        // Its start is many requests, which by default it makes slowly.
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=500".to_owned(),
        format!("--service-account-private-key-file={}", config("service-accounts.key")),
        format!("--root-ca-file={}", config("ca.crt")),
        "--allocate-node-cidrs=true".to_owned(),
        format!("--cluster-cidr={PODS}"),
    ]
}

fn kubeconfig(name: &str) -> String {
    format!("--kubeconfig={}", config(&format!("{name}.kubeconfig")))
}

fn config(file: &str) -> String {
    state::folder().join("config").join(file).display().to_string()
}
