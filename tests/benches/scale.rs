//! Memory of each process, idle and with 1,000 Services and 10,000 Pods; the time from the write of an
//! EndpointSlice to its message on a stream; and what streams cost. Prints tables; asserts nothing about time.
//!
//! Run with `cargo xtask bench`, which builds the binaries in release mode first.

#[path = "scale/streams.rs"]
mod streams;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use linkerd_proto::destination::{GetDestination, Update, destination_client::DestinationClient, update};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::authority::Authority;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::{Process, ProcessBuilder};
use linkerd_tests::{eventually, helm, port};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Streaming;

const SERVICES: usize = 1_000;
const PODS_PER_SERVICE: usize = 10;
/// Requests to the API server under way at once.
const WRITERS: usize = 48;
/// Changes whose way to the stream is timed.
const CHANGES: usize = 200;
const DEADLINE: Duration = Duration::from_secs(60);
/// What a process is given to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    cluster.install_crds(&helm::template("linkerd-crds", &[])?).await?;
    let files = Files::make()?;
    let mut processes = start(server.kubeconfig(), &files).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = memory(&processes)?;

    let namespace = cluster.unique_namespace("scale").await?;
    let began = Instant::now();
    fill(&cluster, &namespace).await?;
    eprintln!("{SERVICES} Services with {PODS_PER_SERVICE} Pods each: written in {:.0?}", began.elapsed());
    let destination = processes[0].address;
    eventually(DEADLINE, || async { all_endpoints(destination, &namespace).await }).await?;
    tokio::time::sleep(SETTLE).await;
    let filled = memory(&processes)?;
    print_memory(&processes, &idle, &filled);

    let mut latencies = time_changes(&cluster, destination, &namespace).await?;
    print_latencies(&mut latencies);
    let process = &processes[0].process;
    streams::Subject { process, address: destination, cluster: &cluster, namespace: &namespace }.measure().await?;
    for running in &mut processes {
        running.process.ensure_running()?;
    }
    Ok(())
}

/// A process, and where it serves.
struct Running {
    name: &'static str,
    address: SocketAddr,
    process: Process,
}

/// What the processes read at their start: an issuer, trust anchors, and a webhook's certificate.
struct Files(TempDir);

impl Files {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        Authority::make()?.write(folder.path(), folder.path())?;
        let webhook = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        for (name, content) in [
            ("tls.crt", webhook.cert.pem()),
            ("tls.key", webhook.signing_key.serialize_pem()),
            ("values", String::new()),
        ] {
            std::fs::write(folder.path().join(name), content)?;
        }
        Ok(Self(folder))
    }

    fn flag(&self, name: &str, file: &str) -> String {
        format!("{name}={}", self.0.path().join(file).display())
    }
}

async fn start(kubeconfig: &Path, files: &Files) -> Result<Vec<Running>> {
    let none: Vec<String> = Vec::new();
    let identity = vec![
        "-controller-namespace=linkerd".to_owned(),
        "-identity-scheme=linkerd.io/tls".to_owned(),
        "-identity-trust-domain=cluster.local".to_owned(),
        files.flag("-issuer", ""),
        files.flag("-trust-roots", ""),
    ];
    let injector = vec![
        files.flag("-tls-dir", ""),
        files.flag("-values", "values"),
        files.flag("-trust-anchors", "ca-bundle.crt"),
    ];
    let commands = [
        ("linkerd-destination", ["-addr", "-metrics-addr"], none),
        ("linkerd-policy", ["--grpc-addr", "--admin-addr"], vec!["--default-opaque-ports=25,3306".to_owned()]),
        ("linkerd-identity", ["-addr", "-admin-addr"], identity),
        ("linkerd-injector", ["-addr", "-metrics-addr"], injector),
        ("linkerd-sp-validator", ["-addr", "-metrics-addr"], vec![files.flag("-tls-dir", "")]),
    ];
    let mut running = Vec::new();
    for (name, [addr, admin_addr], more) in commands {
        let free = || -> Result<SocketAddr> { Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?))) };
        let (address, admin) = (free()?, free()?);
        let builder = ProcessBuilder::new(name, admin)
            .args([format!("{addr}={address}"), format!("{admin_addr}={admin}")])
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(more);
        let began = Instant::now();
        let process = builder.start(DEADLINE).await?;
        eprintln!("{name}: ready after {:.2?}", began.elapsed());
        running.push(Running { name, address, process });
    }
    Ok(running)
}

fn memory(processes: &[Running]) -> Result<Vec<u64>> {
    processes.iter().map(|running| running.process.rss()).collect()
}

/// Writes Services, Pods and EndpointSlices as a cluster would have them.
async fn fill(cluster: &Cluster, namespace: &str) -> Result<()> {
    let writes = futures::stream::iter(0..SERVICES).map(|service| fill_one(cluster, namespace, service));
    writes.buffer_unordered(WRITERS / 4).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn fill_one(cluster: &Cluster, namespace: &str, service: usize) -> Result<()> {
    let spec = json!({"selector": {"app": format!("app-{service}")},
                      "ports": [{"name": "http", "port": 80, "targetPort": 8080}]});
    let object = json!({"metadata": {"name": format!("app-{service}")}, "spec": spec});
    create::<Service>(cluster, namespace, object).await?;
    let pods = futures::stream::iter(0..PODS_PER_SERVICE).map(|index| pod(cluster, namespace, service, index));
    pods.buffer_unordered(4).try_collect::<Vec<()>>().await?;
    create::<EndpointSlice>(cluster, namespace, slice(namespace, service, PODS_PER_SERVICE)).await
}

async fn create<K>(cluster: &Cluster, namespace: &str, object: Value) -> Result<()>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + serde::Serialize,
{
    let api: Api<K> = Api::namespaced(cluster.client(), namespace);
    api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
    Ok(())
}

fn pod_name(service: usize, index: usize) -> String {
    format!("app-{service}-6d5f8c7b9f-{index:05}")
}

fn ip(service: usize, index: usize) -> Ipv4Addr {
    let number = u32::try_from(service * PODS_PER_SERVICE + index).unwrap_or_default();
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 32, 0, 0)) + number)
}

/// A meshed pod as the injector makes them.
async fn pod(cluster: &Cluster, namespace: &str, service: usize, index: usize) -> Result<()> {
    let (name, ip) = (pod_name(service, index), ip(service, index));
    let listen = |what: &str, port: u16| json!({"name": format!("LINKERD2_PROXY_{what}_LISTEN_ADDR"), "value": format!("0.0.0.0:{port}")});
    let object = json!({
        "metadata": {"name": name, "labels": {
            "app": format!("app-{service}"), "pod-template-hash": "6d5f8c7b9f",
            "linkerd.io/control-plane-ns": "linkerd", "linkerd.io/proxy-deployment": format!("app-{service}"),
            "linkerd.io/workload-ns": namespace,
        }, "annotations": {
            "linkerd.io/created-by": "linkerd/proxy-injector", "linkerd.io/proxy-version": "edge-26.8.1",
            "linkerd.io/inject": "enabled",
        }},
        "spec": {"nodeName": format!("node-{}", index % 10), "containers": [
            {"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}],
             "env": [{"name": "SETTING", "value": "a value that nobody but the application reads"}]},
            {"name": "linkerd-proxy", "image": "proxy:1",
             "ports": [{"name": "linkerd-proxy", "containerPort": 4143}, {"name": "linkerd-admin", "containerPort": 4191}],
             "env": [listen("INBOUND", 4143), listen("ADMIN", 4191), listen("CONTROL", 4190)]},
        ]},
    });
    create::<Pod>(cluster, namespace, object).await?;
    let status = json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                                   "conditions": [{"type": "Ready", "status": "True"}]}});
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

fn slice(namespace: &str, service: usize, endpoints: usize) -> Value {
    let endpoint = |index: usize| {
        json!({"addresses": [ip(service, index)], "conditions": {"ready": true},
               "nodeName": format!("node-{}", index % 10),
               "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod_name(service, index)}})
    };
    json!({
        "metadata": {"name": format!("app-{service}-1"), "labels": {"kubernetes.io/service-name": format!("app-{service}")}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": (0..endpoints).map(endpoint).collect::<Vec<_>>(),
    })
}

async fn get(destination: SocketAddr, namespace: &str, service: usize) -> Result<Streaming<Update>> {
    let path = format!("app-{service}.{namespace}.svc.cluster.local:80");
    let mut client = DestinationClient::connect(format!("http://{destination}")).await?;
    Ok(client.get(GetDestination { path, ..GetDestination::default() }).await?.into_inner())
}

/// Whether the Service that was written last has all its endpoints.
async fn all_endpoints(destination: SocketAddr, namespace: &str) -> Result<()> {
    let mut stream = get(destination, namespace, SERVICES - 1).await?;
    let first = tokio::time::timeout(DEADLINE, stream.message()).await??.and_then(|update| update.update);
    let Some(update::Update::Add(set)) = first else { anyhow::bail!("no endpoints yet") };
    ensure!(set.addrs.len() == PODS_PER_SERVICE, "{} endpoints", set.addrs.len());
    Ok(())
}

/// Adds and removes an endpoint, again and again, and times each change from the start of the request to
/// the API server until its message is there.
async fn time_changes(cluster: &Cluster, destination: SocketAddr, namespace: &str) -> Result<Vec<Duration>> {
    let slices: Api<EndpointSlice> = Api::namespaced(cluster.client(), namespace);
    let mut stream = get(destination, namespace, 0).await?;
    stream.message().await?.context("the stream ended")?;
    let mut latencies = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let endpoints = PODS_PER_SERVICE - 1 + change % 2;
        let patch = json!({"endpoints": slice(namespace, 0, endpoints)["endpoints"]});
        let began = Instant::now();
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        let written = slices.patch("app-0-1", &params, &patch);
        let (written, message) = tokio::join!(written, tokio::time::timeout(DEADLINE, stream.message()));
        written?;
        message??.context("the stream ended")?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn print_memory(processes: &[Running], idle: &[u64], filled: &[u64]) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let pods = SERVICES * PODS_PER_SERVICE;
    println!("\nResident memory, MiB");
    println!("{:<24} {:>8} {:>24}", "process", "idle", format!("{SERVICES} Services, {pods} Pods"));
    for ((running, idle), filled) in processes.iter().zip(idle).zip(filled) {
        println!("{:<24} {:>8.1} {:>24.1}", running.name, mib(*idle), mib(*filled));
    }
}

fn print_latencies(latencies: &mut [Duration]) {
    latencies.sort_unstable();
    let at = |share: f64| latencies.get(((latencies.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "\nFrom the request that writes an EndpointSlice to the message on a stream, {} messages",
        latencies.len()
    );
    println!("p50 {:.1?}   p90 {:.1?}   p99 {:.1?}   max {:.1?}", at(0.5), at(0.9), at(0.99), at(1.0));
}
