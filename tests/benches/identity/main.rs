//! How many certificates `linkerd-identity` issues, how long each takes, and what it costs: with an API
//! server that is nothing but a stub, and with a real one. Beside it what the signatures alone allow, and
//! what becomes of 10,000 pods that start at once. Prints tables; asserts nothing about time.
//!
//! Run with `cargo xtask bench`, which builds the binaries in release mode first. Every request has a token
//! of its own, so that nothing is answered from memory.

mod load;
mod pods;
mod signatures;
mod stub;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::authority::Authority;
use linkerd_tests::port;
use linkerd_tests::process::{Process, ProcessBuilder};
use tempfile::TempDir;

use load::{Load, Measured};
use stub::Stub;

/// Clients that ask again as soon as they are answered.
const CLIENTS: usize = 32;
/// Pods that start at once.
const POD_STORM: usize = 10_000;
/// Connections that they share; a connection each would measure the machine's limits.
const STORM_CONNECTIONS: usize = 100;
/// What the stub takes for a review in the storm, as an API server across a network does.
const REVIEW: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let stub = Stub::start(Duration::ZERO).await?;
    let quick = against(&stub.kubeconfig(), pods::made_up(20_000, 200)?, Some(&stub)).await?;
    let server = ApiServer::start().await?;
    let real = pods::of_api_server(&server.cluster().await?, 4_000, 50).await?;
    let real = against(server.kubeconfig(), real, None).await?;
    println!("\nCertificates, {CLIENTS} clients, a token review each");
    println!("{}", Measured::HEADER);
    println!("{}", quick.row("stub in the place of the API server"));
    println!("{}", real.row("kube-apiserver on the same machine"));
    println!("{}", signatures::row(Duration::from_secs(2)));

    let slow = Stub::start(REVIEW).await?;
    let storm = storm(&slow, pods::made_up(POD_STORM, POD_STORM / 10)?).await?;
    println!("\n{POD_STORM} pods at once, {REVIEW:?} for each review");
    println!("{}", Measured::HEADER);
    println!("{}", storm.row("stub in the place of the API server"));
    Ok(())
}

/// An identity service that runs.
struct Running {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

async fn identity(kubeconfig: &Path) -> Result<Running> {
    let folder = tempfile::tempdir()?;
    Authority::make()?.write(folder.path(), folder.path())?;
    let free = || -> Result<SocketAddr> { Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?))) };
    let (address, admin) = (free()?, free()?);
    let process = ProcessBuilder::new("linkerd-identity", admin)
        .args([format!("-addr={address}"), format!("-admin-addr={admin}")])
        .args(["-controller-namespace=linkerd", "-identity-scheme=linkerd.io/tls"])
        .arg("-identity-trust-domain=cluster.local")
        .arg(format!("-issuer={}", folder.path().display()))
        .arg(format!("-trust-roots={}", folder.path().display()))
        .arg(format!("-kubeconfig={}", kubeconfig.display()));
    Ok(Running { address, process: process.start(DEADLINE).await?, _folder: folder })
}

/// Measures a few clients that ask without a pause, after a tenth of the pods has warmed everything up.
async fn against(kubeconfig: &Path, mut pods: Vec<pods::Pod>, stub: Option<&Stub>) -> Result<Measured> {
    if let Some(stub) = stub {
        stub.knows(&pods);
    }
    let mut running = identity(kubeconfig).await?;
    let load = Load { address: running.address, connections: CLIENTS, at_once: CLIENTS };
    let measured = pods.split_off(pods.len() / 10);
    load::run(&load, pods, &running.process).await?;
    let measured = load::run(&load, measured, &running.process).await?;
    running.process.ensure_running()?;
    ensure!(measured.failures.is_empty(), "some were refused: {:?}", measured.failures);
    Ok(measured)
}

async fn storm(stub: &Stub, pods: Vec<pods::Pod>) -> Result<Measured> {
    stub.knows(&pods);
    let mut running = identity(&stub.kubeconfig()).await?;
    let load = Load { address: running.address, connections: STORM_CONNECTIONS, at_once: pods.len() };
    let measured = load::run(&load, pods, &running.process).await?;
    running.process.ensure_running()?;
    Ok(measured)
}
