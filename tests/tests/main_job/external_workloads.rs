//! ExternalWorkloads, whose EndpointSlices the destination service writes itself: one replica of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service as KubeService;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::Process;
use linkerd_tests::{eventually, helm};
use serde_json::json;

use crate::endpoints::{Endpoints, destination};
use crate::setup::{DEADLINE, DOMAIN, Service, channel, define};

/// Namespace of the control plane, and of the Lease.
const CONTROL_PLANE: &str = "linkerd";
/// A Lease lasts 30 s from the last renewal that another saw, and is renewed and looked at every 2 s.
const TAKE_OVER: Duration = Duration::from_secs(34);

fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from(([10, 9, high, low], 8080))
}

/// An API server of the test's own, since there is one Lease, with the rights that the chart grants.
async fn started() -> Result<(ApiServer, Cluster, String)> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    define(&cluster).await?;
    cluster.namespace(CONTROL_PLANE).await?;
    let required = ["identityTrustAnchorsPEM=x", "identity.issuer.tls.crtPEM=x", "identity.issuer.tls.keyPEM=x"];
    let values = required.iter().flat_map(|value| ["--set", value]);
    let rights = ["--show-only", "templates/destination-rbac.yaml"].into_iter().chain(values).collect::<Vec<_>>();
    cluster.apply(CONTROL_PLANE, &helm::template("linkerd-control-plane", &rights)?).await?;
    let namespace = cluster.unique_namespace("external").await?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy", "labels": {"team": "shop"}},
        "spec": {"selector": {"app": "legacy"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    });
    cluster.apply(&namespace, &service.to_string()).await?;
    Ok((server, cluster, namespace))
}

struct Replica {
    process: Process,
    address: SocketAddr,
}

/// A replica in a pod of this name, which may do what the chart grants.
async fn replica(server: &ApiServer, pod: &str) -> Result<Replica> {
    let token = server.cluster().await?.token(CONTROL_PLANE, "linkerd-destination", &[]).await?;
    let Service { process, address } = destination(&server.kubeconfig_for(pod, &token)?)?;
    let process = process.arg(format!("-controller-namespace={CONTROL_PLANE}")).env("HOSTNAME", pod);
    Ok(Replica { process: process.start(DEADLINE).await?, address })
}

async fn apply(cluster: &Cluster, namespace: &str, number: u16, ready: bool) -> Result<()> {
    let status = if ready { "True" } else { "False" };
    let workload = json!({
        "apiVersion": "workload.linkerd.io/v1beta1", "kind": "ExternalWorkload",
        "metadata": {"name": format!("vm-{number}"), "labels": {"app": "legacy"}},
        "spec": {
            "meshTLS": {"identity": format!("spiffe://root.linkerd.{DOMAIN}/vm-{number}"), "serverName": "vm.test"},
            "workloadIPs": [{"ip": address(number).ip()}],
            "ports": [{"name": "http", "port": 8080}],
        },
        "status": {"conditions": [{
            "type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Probed",
            "message": "by the test",
        }]},
    });
    cluster.apply(namespace, &workload.to_string()).await.map(drop)
}

async fn delete(cluster: &Cluster, namespace: &str, number: u16) -> Result<()> {
    let workload = json!({"apiVersion": "workload.linkerd.io/v1beta1", "kind": "ExternalWorkload",
                          "metadata": {"name": format!("vm-{number}")}});
    cluster.delete(namespace, &workload.to_string()).await
}

async fn slices(cluster: &Cluster, namespace: &str) -> Result<Vec<EndpointSlice>> {
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client(), namespace);
    let ours = "endpointslice.kubernetes.io/managed-by=linkerd-external-workloads-controller";
    Ok(api.list(&ListParams::default().labels(ours)).await?.items)
}

/// Addresses in all slices, each with its readiness; an address in two slices is an error.
async fn sliced(cluster: &Cluster, namespace: &str) -> Result<BTreeSet<(String, bool)>> {
    let (mut addresses, mut count) = (BTreeSet::new(), 0);
    for slice in slices(cluster, namespace).await? {
        for endpoint in slice.endpoints {
            let ready = endpoint.conditions.and_then(|conditions| conditions.ready).context("no condition")?;
            count += endpoint.addresses.len();
            addresses.extend(endpoint.addresses.into_iter().map(|address| (address, ready)));
        }
    }
    ensure!(addresses.len() == count, "an address is in two slices");
    Ok(addresses)
}

fn ready(numbers: impl IntoIterator<Item = u16>) -> BTreeSet<(String, bool)> {
    numbers.into_iter().map(|number| (address(number).ip().to_string(), true)).collect()
}

async fn become_(cluster: &Cluster, namespace: &str, expected: &BTreeSet<(String, bool)>) -> Result<()> {
    let seen = || async {
        let addresses = sliced(cluster, namespace).await?;
        ensure!(addresses == *expected, "{addresses:?} instead of {expected:?}");
        Ok(())
    };
    eventually(DEADLINE, seen).await
}

async fn holder(cluster: &Cluster) -> Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), CONTROL_PLANE);
    let lease = leases.get_opt("linkerd-destination-endpoint-write").await?;
    Ok(lease.and_then(|lease| lease.spec).and_then(|spec| spec.holder_identity))
}

async fn led_by(cluster: &Cluster, pod: &str, deadline: Duration) -> Result<()> {
    let led = || async {
        let holder = holder(cluster).await?;
        ensure!(holder.as_deref() == Some(pod), "{holder:?} leads");
        Ok(())
    };
    eventually(deadline, led).await
}

async fn is_leader(replica: &Replica) -> Result<bool> {
    let metrics = replica.process.admin_get("/metrics").await?.body;
    Ok(metrics.contains("leader_election_master_status{name=\"linkerd-destination-endpoint-write\"} 1\n"))
}

// Cases 69, 71, 72 and 81, as an API server takes them.
#[tokio::test]
async fn slices_of_external_workloads_are_written_and_served_on_an_open_stream() -> Result<()> {
    let (server, cluster, namespace) = started().await?;
    let mut replica = replica(&server, "destination-a").await?;
    let path = format!("legacy.{namespace}.svc.{DOMAIN}:80");
    let mut endpoints = Endpoints::get(channel(replica.address)?, &path).await?;
    endpoints.become_(&[]).await?;

    apply(&cluster, &namespace, 1, true).await?;
    endpoints.become_(&[address(1)]).await?;
    let slice = slices(&cluster, &namespace).await?.pop().context("no slice")?;
    let services: Api<KubeService> = Api::namespaced(cluster.client(), &namespace);
    let owner = slice.metadata.owner_references.context("no owner")?.pop().context("no owner")?;
    assert_eq!(
        (owner.uid, owner.controller),
        (services.get("legacy").await?.metadata.uid.context("no UID")?, Some(true))
    );
    let labels = slice.metadata.labels.context("no labels")?;
    assert_eq!((labels["team"].as_str(), labels["kubernetes.io/service-name"].as_str()), ("shop", "legacy"));

    // Not ready, ready again, together with another, and gone.
    apply(&cluster, &namespace, 1, false).await?;
    endpoints.become_(&[]).await?;
    apply(&cluster, &namespace, 1, true).await?;
    apply(&cluster, &namespace, 2, true).await?;
    endpoints.become_(&[address(1), address(2)]).await?;
    delete(&cluster, &namespace, 1).await?;
    endpoints.become_(&[address(2)]).await?;
    delete(&cluster, &namespace, 2).await?;
    endpoints.become_(&[]).await?;
    become_(&cluster, &namespace, &BTreeSet::new()).await?;
    assert_eq!(slices(&cluster, &namespace).await?.len(), 0);

    // Labels of the Service come and go.
    apply(&cluster, &namespace, 3, true).await?;
    let relabelled = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "legacy", "labels": {"tier": "1"}},
        "spec": {"selector": {"app": "legacy"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}});
    cluster.apply(&namespace, &relabelled.to_string()).await?;
    let seen = || async {
        let labels = slices(&cluster, &namespace).await?.pop().context("no slice")?.metadata.labels;
        let labels = labels.context("no labels")?;
        ensure!(labels.contains_key("tier") && !labels.contains_key("team"), "{labels:?}");
        Ok(())
    };
    eventually(DEADLINE, seen).await?;
    endpoints.become_(&[address(3)]).await?;
    replica.process.ensure_running()?;
    let log = replica.process.log();
    ensure!(!log.contains("WARN") && !log.contains("ERROR"), "it complains:\n{log}");
    Ok(())
}

// Case 70, as workloads come one by one.
#[tokio::test]
async fn many_workloads_are_packed_into_few_slices() -> Result<()> {
    let (server, cluster, namespace) = started().await?;
    for number in 0..250 {
        apply(&cluster, &namespace, number, true).await?;
    }
    let _replica = replica(&server, "destination-a").await?;
    become_(&cluster, &namespace, &ready(0..250)).await?;
    let sizes = || async {
        let slices = slices(&cluster, &namespace).await?;
        let mut sizes: Vec<_> = slices.iter().map(|slice| slice.endpoints.len()).collect();
        sizes.sort_unstable();
        anyhow::Ok(sizes)
    };
    assert_eq!(sizes().await?, [50, 100, 100]);
    for number in 250..270 {
        apply(&cluster, &namespace, number, true).await?;
    }
    become_(&cluster, &namespace, &ready(0..270)).await?;
    assert_eq!(sizes().await?, [70, 100, 100]);
    // A slice that somebody deletes, and one that somebody empties, are made right.
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client(), &namespace);
    let names: Vec<_> =
        slices(&cluster, &namespace).await?.into_iter().filter_map(|slice| slice.metadata.name).collect();
    api.delete(&names[0], &Default::default()).await?;
    let emptied = json!({"endpoints": []});
    api.patch(&names[1], &Default::default(), &kube::api::Patch::Merge(&emptied)).await?;
    become_(&cluster, &namespace, &ready(0..270)).await
}

// Cases 53, 74 and 81.
#[tokio::test]
async fn one_replica_writes_and_another_takes_over_when_it_ends() -> Result<()> {
    let (server, cluster, namespace) = started().await?;
    let mut first = replica(&server, "destination-a").await?;
    led_by(&cluster, "destination-a", DEADLINE).await?;
    // Readiness has nothing to do with leading.
    let second = replica(&server, "destination-b").await?;
    let mut endpoints =
        Endpoints::get(channel(second.address)?, &format!("legacy.{namespace}.svc.{DOMAIN}:80")).await?;
    apply(&cluster, &namespace, 1, true).await?;
    endpoints.become_(&[address(1)]).await?;
    ensure!(is_leader(&first).await? && !is_leader(&second).await?, "the wrong one leads");
    ensure!(!second.process.log().contains("writing EndpointSlices"), "both write:\n{}", second.process.log());

    // Asked to end, it gives the Lease back.
    let status = first.process.terminate(DEADLINE).await?;
    ensure!(status.success(), "{status}");
    let asked = Instant::now();
    led_by(&cluster, "destination-b", DEADLINE).await?;
    ensure!(asked.elapsed() < Duration::from_secs(10), "the Lease was not given back: {:?}", asked.elapsed());
    apply(&cluster, &namespace, 2, true).await?;
    endpoints.become_(&[address(1), address(2)]).await?;

    // Killed, it does not.
    let third = replica(&server, "destination-c").await?;
    let mut endpoints = Endpoints::get(channel(third.address)?, &format!("legacy.{namespace}.svc.{DOMAIN}:80")).await?;
    endpoints.become_(&[address(1), address(2)]).await?;
    let mut second = second;
    second.process.kill();
    let killed = Instant::now();
    // What happens meanwhile is caught up with.
    delete(&cluster, &namespace, 1).await?;
    delete(&cluster, &namespace, 2).await?;
    apply(&cluster, &namespace, 3, true).await?;
    led_by(&cluster, "destination-c", TAKE_OVER).await?;
    ensure!(killed.elapsed() > Duration::from_secs(25), "it did not wait: {:?}", killed.elapsed());
    endpoints.become_(&[address(3)]).await?;
    become_(&cluster, &namespace, &ready([3])).await?;
    ensure!(is_leader(&third).await?, "the third does not lead");
    Ok(())
}
