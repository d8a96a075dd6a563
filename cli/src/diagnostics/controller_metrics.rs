//! `linkerd diagnostics controller-metrics`.

use super::metrics::{AT_ONCE, Scrape};
use crate::{
    cluster::{self, ask},
    failure::Bare,
    global::Global,
    output,
    port_forward::containers,
};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams};
use linkerd_k8s::duration::parse_go;
use std::{fmt::Write as _, time::Duration};
use tokio::time::Instant;

/// What the names of ports with metrics end in.
const ADMIN: &str = "-admin";

/// Print the metrics of the control plane
///
/// They are those of every container in the namespace of the control plane that has a port whose name ends
/// in -admin, in the text format of Prometheus.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  linkerd diagnostics controller-metrics --wait 10s")]
pub struct ControllerMetricsArgs {
    /// Longest time until all containers have answered
    #[arg(long, short, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    match parse_go(text) {
        Ok(duration) if !duration.is_negative && !duration.length.is_zero() => Ok(duration.length),
        _ => Err("use a duration such as 30s or 1m30s"),
    }
}

/// Prints the metrics.
///
/// # Errors
/// When the cluster cannot be asked, or no container has such a port.
pub async fn run(args: ControllerMetricsArgs, global: &Global) -> anyhow::Result<()> {
    let deadline = Instant::now() + args.wait;
    let client = cluster::connect(global).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), global.namespace());
    let pods = ask(pods.list(&ListParams::default())).await?.items;
    let scrapes = scrapes(&pods);
    if scrapes.is_empty() {
        let namespace = global.namespace();
        return Err(Bare::line(format_args!(
            "no container in namespace {namespace} has a port whose name ends in {ADMIN}; name the control plane's \
             namespace with -L"
        ))
        .into());
    }
    let read = stream::iter(&scrapes).map(|scrape| scrape.read(&client, deadline)).buffered(AT_ONCE);
    let read: Vec<_> = read.map(|metrics| metrics.map_err(|error| format!("{error:#}"))).collect().await;
    output::print(&text(&scrapes, &read))
}

/// The containers to ask, by pod and name.
fn scrapes(pods: &[Pod]) -> Vec<Scrape<'_>> {
    let mut scrapes: Vec<Scrape<'_>> = Vec::new();
    for pod in pods {
        for container in containers(pod) {
            let names = container.ports.iter().flatten().filter_map(|port| port.name.as_deref());
            let ports = names.filter(|name| name.ends_with(ADMIN));
            scrapes.extend(ports.map(|port| Scrape { pod, container, port }));
        }
    }
    scrapes.sort_by_key(|scrape| (scrape.pod.name_any(), &scrape.container.name, scrape.port));
    scrapes
}

/// A block for each container, numbered.
fn text(scrapes: &[Scrape<'_>], read: &[Result<String, String>]) -> String {
    let mut text = String::new();
    for (i, (Scrape { pod, container, .. }, metrics)) in scrapes.iter().zip(read).enumerate() {
        let (pod, container, of) = (pod.name_any(), &container.name, scrapes.len());
        // Writing to a string does not fail. The space behind the container is what scripts know.
        let _ = writeln!(text, "#\n# POD {pod} ({} of {of})\n# CONTAINER {container} ", i + 1);
        let _ = match metrics {
            Ok(metrics) => writeln!(text, "#\n{}", metrics.trim_end_matches('\n')),
            Err(error) => writeln!(text, "# ERROR {}", error.replace('\n', " ")),
        };
    }
    text
}

#[cfg(test)]
mod tests;
