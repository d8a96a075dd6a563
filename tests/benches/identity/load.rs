//! Clients that ask for certificates, and what that takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use linkerd_proto::identity::identity_client::IdentityClient;
use linkerd_tests::process::Process;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::Channel;

use crate::pods::Pod;

/// How the requests are sent.
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    /// Requests under way at once.
    pub at_once: usize,
}

/// What a load took.
pub struct Measured {
    latencies: Vec<Duration>,
    pub failures: BTreeMap<String, usize>,
    took: Duration,
    cpu: Duration,
    peak_memory: u64,
}

/// Sends one request for each pod, and measures the process that answers.
pub async fn run(load: &Load, pods: Vec<Pod>, process: &Process) -> Result<Measured> {
    let mut channels = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        channels.push(Channel::from_shared(format!("http://{}", load.address))?.connect().await?);
    }
    let (pods, next, at_once) = (Arc::new(pods), Arc::new(AtomicUsize::new(0)), load.at_once);
    let (cpu, began) = (cpu(process)?, Instant::now());
    let mut clients = JoinSet::new();
    for client in 0..at_once {
        let (pods, next) = (pods.clone(), next.clone());
        let mut client = IdentityClient::new(channels[client % channels.len()].clone());
        clients.spawn(async move {
            let mut answers = Vec::new();
            while let Some(pod) = pods.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (request, began) = (pod.request(), Instant::now());
                let code = client.certify(request).await.map_or_else(|status| status.code(), |_| Code::Ok);
                answers.push((began.elapsed(), code));
            }
            answers
        });
    }
    let answers: Vec<(Duration, Code)> = clients.join_all().await.into_iter().flatten().collect();
    let (took, cpu) = (began.elapsed(), self::cpu(process)?.saturating_sub(cpu));
    let mut failures = BTreeMap::new();
    let (issued, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, code)| *code == Code::Ok);
    for (_, code) in refused {
        *failures.entry(format!("{code:?}")).or_default() += 1;
    }
    let mut latencies: Vec<Duration> = issued.into_iter().map(|(latency, _)| latency).collect();
    latencies.sort_unstable();
    Ok(Measured { latencies, failures, took, cpu, peak_memory: peak_memory(process)? })
}

impl Measured {
    pub const HEADER: &str = "                                      certificates  per second  per core   p50 ms   p99 ms  \
                              CPU ms each  peak MiB  refused";

    pub fn row(&self, name: &str) -> String {
        let issued = self.latencies.len();
        let each = self.cpu.as_secs_f64() / issued.max(1) as f64;
        let at = |share: f64| {
            let latency = self.latencies.get((issued.saturating_sub(1) as f64 * share) as usize);
            latency.copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        format!(
            "{name:<37} {issued:>12} {:>11.0} {:>9.0} {:>8.1} {:>8.1} {:>12.3} {:>9.1} {:>8}",
            issued as f64 / self.took.as_secs_f64(),
            1.0 / each,
            at(0.5),
            at(0.99),
            each * 1e3,
            self.peak_memory as f64 / f64::from(1 << 20),
            self.failures.values().sum::<usize>(),
        )
    }
}

/// User and system time of a process so far.
fn cpu(process: &Process) -> Result<Duration> {
    // Linux reports these in ticks of 10 ms on every architecture that this runs on.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid()))?;
    let fields = stat.rsplit_once(')').context("/proc/PID/stat has no name")?.1;
    let ticks: Vec<u32> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum())
}

/// The most memory that a process ever had resident, in bytes.
fn peak_memory(process: &Process) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("/proc/PID/status has no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
