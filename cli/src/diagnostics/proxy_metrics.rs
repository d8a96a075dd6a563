//! `linkerd diagnostics proxy-metrics`.

mod obfuscate;
mod workload;

use super::metrics::{AT_ONCE, Scrape};
use crate::{
    cluster,
    failure::{Bare, exactly},
    global::{Global, given},
    output,
    port_forward::containers,
    resource,
};
use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use linkerd_k8s::names::PROXY_CONTAINER;
use std::{fmt::Write as _, time::Duration};
use tokio::time::Instant;
use workload::Workload;

/// Port of the proxy's metrics.
const ADMIN: &str = "linkerd-admin";
/// Longest wait for the metrics of all pods.
const WAIT: Duration = Duration::from_secs(30);

/// Print the metrics of the proxies of a workload
///
/// TYPE is cronjob, daemonset, deployment, job, pod, replicaset, replicationcontroller or statefulset, or a
/// short name of these.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd diagnostics proxy-metrics [OPTIONS] TYPE/NAME",
    after_help = "Examples:\n  linkerd diagnostics proxy-metrics -n emojivoto deploy/web\n  \
                        linkerd diagnostics proxy-metrics -n emojivoto po/web-5f86686c4d-58p7k --obfuscate"
)]
pub struct ProxyMetricsArgs {
    // Hidden, since the usage says it better.
    #[arg(hide = true)]
    resource: Vec<String>,
    /// Namespace of the workload [default: that of the kubeconfig's context]
    #[arg(long, short)]
    namespace: Option<String>,
    /// Replace names and addresses by hashes, to show the metrics to others
    #[arg(long)]
    obfuscate: bool,
}

/// Prints the metrics.
///
/// # Errors
/// When there is no such workload, or it has no pod with a proxy.
pub async fn run(args: ProxyMetricsArgs, global: &Global) -> anyhow::Result<()> {
    let [text] = exactly(args.resource)?;
    let (kind, name) = resource::parse(&text)?;
    let workload = Workload::new(kind, name)?;
    let client = cluster::connect(global).await?;
    let namespace = given(&args.namespace).unwrap_or(client.default_namespace()).to_owned();
    let pods = workload.pods(&client, &namespace).await?;
    if pods.is_empty() {
        return Err(Bare::line(format_args!("no pods found for {workload} in namespace {namespace}")).into());
    }
    let scrapes = scrapes(&pods);
    if scrapes.is_empty() {
        return Err(Bare::line(format_args!(
            "no pod of {workload} in namespace {namespace} has a proxy; 'linkerd inject --help' tells how it gets one"
        ))
        .into());
    }
    let deadline = Instant::now() + WAIT;
    let read = stream::iter(&scrapes).map(|scrape| scrape.read(&client, deadline)).buffered(AT_ONCE);
    let read: Vec<_> = read.map(|metrics| block(metrics, args.obfuscate)).collect().await;
    output::print(&headed(&scrapes, &read))
}

/// The proxies to ask, by the names of their pods.
fn scrapes(pods: &[Pod]) -> Vec<Scrape<'_>> {
    let of_pod = |pod| {
        let container = containers(pod).find(|container| container.name == PROXY_CONTAINER)?;
        Some(Scrape { pod, container, port: ADMIN })
    };
    let mut scrapes: Vec<_> = pods.iter().filter_map(of_pod).collect();
    scrapes.sort_by_key(|scrape| scrape.pod.name_any());
    scrapes
}

/// Metrics as they are printed, or why there are none.
fn block(metrics: anyhow::Result<String>, obfuscate: bool) -> String {
    let one_line = |error: anyhow::Error| format!("{error:#}").replace('\n', " ");
    match metrics.map_err(|error| format!("# ERROR: {}", one_line(error))) {
        Err(error) => error,
        Ok(metrics) if obfuscate => obfuscate::text(&metrics)
            .context("cannot obfuscate the metrics")
            .unwrap_or_else(|error| format!("# ERROR {}", one_line(error))),
        Ok(metrics) => metrics,
    }
}

/// A block for each pod, numbered.
fn headed(scrapes: &[Scrape<'_>], blocks: &[String]) -> String {
    let mut text = String::new();
    for (i, (scrape, block)) in scrapes.iter().zip(blocks).enumerate() {
        let (pod, of) = (scrape.pod.name_any(), scrapes.len());
        // Writing to a string does not fail.
        let _ = writeln!(text, "#\n# POD {pod} ({} of {of})\n#\n{}", i + 1, block.trim_end_matches('\n'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, container: &str) -> Pod {
        let container = json!({"name": container, "ports": [{"name": "linkerd-admin", "containerPort": 4191}]});
        let pod = json!({"metadata": {"name": name}, "spec": {"initContainers": [container], "containers": []}});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn pods_without_proxy_are_passed_over_and_errors_stand_in_their_block() {
        let pods = [pod("web-2", "linkerd-proxy"), pod("web-1", "linkerd-proxy"), pod("web-0", "app")];
        let scrapes = scrapes(&pods);
        let lost = Err(anyhow::anyhow!("lost").context("no\nmetrics"));
        let blocks = [block(Ok("# HELP a\na 1\n".to_owned()), false), block(lost, true)];
        insta::assert_snapshot!(headed(&scrapes, &blocks), @"
        #
        # POD web-1 (1 of 2)
        #
        # HELP a
        a 1
        #
        # POD web-2 (2 of 2)
        #
        # ERROR: no metrics: lost
        ");
        let malformed = block(Ok("a{b=\"c 1\n".to_owned()), true);
        assert!(malformed.starts_with("# ERROR cannot obfuscate the metrics: "), "{malformed}");
    }
}
