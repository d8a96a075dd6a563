//! What streams of `Get` cost: memory of 10,000 of them, and CPU and latency of a change that 1,000 hear of.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, future::join_all};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams};
use linkerd_proto::destination::{GetDestination, Update, destination_client::DestinationClient};
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::Process;
use serde_json::json;
use tonic::Streaming;
use tonic::transport::Channel;

use super::{DEADLINE, PODS_PER_SERVICE, SERVICES, SETTLE, print_latencies, slice};

const STREAMS: usize = 10_000;
/// As from so many proxies.
const CONNECTIONS: usize = 100;
/// Streams that hear of each change.
const FAN_OUT: usize = 1_000;
const CHANGES: usize = 200;
/// Requests under way at once.
const OPENING: usize = 200;

/// A process and the objects that it serves.
pub struct Subject<'a> {
    pub process: &'a Process,
    pub address: SocketAddr,
    pub cluster: &'a Cluster,
    pub namespace: &'a str,
}

impl Subject<'_> {
    /// Measures, and prints tables.
    pub async fn measure(&self) -> Result<()> {
        println!(
            "\nMemory of {STREAMS} streams of Get with {PODS_PER_SERVICE} endpoints, on {CONNECTIONS} connections"
        );
        println!("{:<24} {:>12} {:>16}", "streams of", "MiB more", "KiB per stream");
        // The allocator keeps some of what was freed, so that both are compared with the time before the first.
        let before = self.rss().await?;
        for (what, services) in [("1,000 Services", SERVICES), ("one Service", 1)] {
            let connections = self.connect().await?;
            let streams = self.open(&connections, STREAMS, services).await?;
            let more = self.rss().await?.saturating_sub(before);
            let (mib, kib) = (more as f64 / f64::from(1 << 20), more as f64 / 1024.0 / STREAMS as f64);
            println!("{what:<24} {mib:>12.1} {kib:>16.2}");
            drop((streams, connections));
        }
        self.fan_out().await
    }

    async fn connect(&self) -> Result<Vec<DestinationClient<Channel>>> {
        let address = format!("http://{}", self.address);
        let connect = || DestinationClient::connect(address.clone());
        Ok(futures::future::try_join_all((0..CONNECTIONS).map(|_| connect())).await?)
    }

    /// Opens streams, with their first message read, spread over Services.
    async fn open(
        &self,
        connections: &[DestinationClient<Channel>],
        count: usize,
        services: usize,
    ) -> Result<Vec<Streaming<Update>>> {
        let open = |number: usize| {
            let mut client = connections[number % connections.len()].clone();
            let path = format!("app-{}.{}.svc.cluster.local:80", number % services, self.namespace);
            async move {
                let mut stream = client.get(GetDestination { path, ..GetDestination::default() }).await?.into_inner();
                stream.message().await?.context("the stream ended")?;
                anyhow::Ok(stream)
            }
        };
        futures::stream::iter(0..count).map(open).buffer_unordered(OPENING).try_collect().await
    }

    async fn rss(&self) -> Result<u64> {
        tokio::time::sleep(SETTLE).await;
        self.process.rss()
    }

    /// Adds and removes an endpoint, again and again; each of the streams hears of each change.
    async fn fan_out(&self) -> Result<()> {
        let connections = self.connect().await?;
        let mut streams = self.open(&connections, FAN_OUT, 1).await?;
        let slices: Api<EndpointSlice> = Api::namespaced(self.cluster.client(), self.namespace);
        let (mut latencies, mut messages) = (Vec::with_capacity(CHANGES * FAN_OUT), 0);
        let cpu_before = cpu(self.process)?;
        for change in 0..CHANGES {
            let endpoints = PODS_PER_SERVICE - 1 + change % 2;
            let patch = json!({"endpoints": slice(self.namespace, 0, endpoints)["endpoints"]});
            let began = Instant::now();
            let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
            let heard = join_all(streams.iter_mut().map(|stream| async {
                let message = tokio::time::timeout(DEADLINE, stream.message()).await??;
                ensure!(message.is_some(), "the stream ended");
                Ok(began.elapsed())
            }));
            let (written, heard) = tokio::join!(slices.patch("app-0-1", &params, &patch), heard);
            written?;
            let heard: Vec<Duration> = heard.into_iter().collect::<Result<_>>()?;
            messages += heard.len();
            latencies.extend(heard);
        }
        let spent = cpu(self.process)?.saturating_sub(cpu_before);
        println!("\nA change fanned out to {FAN_OUT} streams, {CHANGES} times");
        println!("CPU of the process per message: {:.1} µs", spent.as_secs_f64() * 1e6 / messages as f64);
        print_latencies(&mut latencies);
        Ok(())
    }
}

/// CPU time that a process has taken, in user and system mode.
fn cpu(process: &Process) -> Result<Duration> {
    // Linux reports these in ticks of 1/100 s on every architecture that this runs on.
    const TICK: Duration = Duration::from_millis(10);
    let path = format!("/proc/{}/stat", process.pid());
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let after_name = stat.rsplit_once(')').context("no name in the process's stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| -> Result<u32> { Ok(fields.get(field).context("stat is cut off")?.parse()?) };
    Ok(TICK * (ticks(11)? + ticks(12)?))
}
