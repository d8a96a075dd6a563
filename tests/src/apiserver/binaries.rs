//! The command lines of etcd and kube-apiserver.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::credentials::Credentials;
use crate::child::hermetic;
use crate::tools;

/// Loopback ports of one server.
#[derive(Clone, Copy)]
pub struct Ports {
    pub etcd: u16,
    pub etcd_peer: u16,
    pub api: u16,
}

pub fn etcd(data: &Path, ports: Ports) -> Result<Command> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut command = hermetic(tools::server("etcd")?);
    command
        .args(["--name", "tests"])
        .arg("--data-dir")
        .arg(data)
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        // A single member elects itself when the timeout has passed: a second by default.
        .args(["--heartbeat-interval", "10", "--election-timeout", "100"])
        .args(["--initial-cluster", &format!("tests={peer}")])
        .args(["--logger", "zap", "--log-level", "warn"]);
    Ok(command)
}

pub fn apiserver(credentials: &Credentials, ports: Ports) -> Result<Command> {
    let flag = |name: &str, file: &str| format!("--{name}={}", credentials.path(file).display());
    let mut command = hermetic(tools::server("kube-apiserver")?);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        // Endpoints on loopback are refused, so it would complain for ever.
        .arg("--endpoint-reconciler-type=none")
        .arg(format!("--secure-port={}", ports.api))
        .arg(flag("cert-dir", ""))
        .arg(flag("tls-cert-file", "serving.crt"))
        .arg(flag("tls-private-key-file", "serving.key"))
        .arg(flag("token-auth-file", "tokens.csv"))
        .arg("--authorization-mode=Node,RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(flag("service-account-key-file", "service-accounts.pub"))
        .arg(flag("service-account-signing-key-file", "service-accounts.key"))
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        // Control-plane pods may be privileged at start (traffic redirection).
        .arg("--allow-privileged=true")
        .arg("--profiling=false");
    Ok(command)
}
