//! Metrics of proxies and of the control plane.

use crate::installation::{Installation, container, container_with_port};
use anyhow::Result;
use axum::{Router, routing::get};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

const METRICS: &str = "a{target_addr=\"0.0.0.0:4191\",target_ip=\"0.0.0.0\"} 1\n";

async fn server() -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/metrics", get(async || METRICS));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn proxy() -> Value {
    container_with_port("linkerd-proxy", "linkerd-admin", 4191)
}

// Acceptance cases 50 and 53 of the command line.
#[tokio::test]
async fn the_proxies_of_all_replica_sets_of_a_deployment_are_asked_and_no_others() -> Result<()> {
    let installation = Installation::empty().await?;
    let (server, namespace) = (server().await?, &installation.namespace);
    let uid = installation.apply(workload("apps/v1", "Deployment", "web")).await?;
    for (set, deployment) in [("old", Some(&uid)), ("new", Some(&uid)), ("other", None)] {
        let mut object = workload("apps/v1", "ReplicaSet", set);
        if let Some(uid) = deployment {
            object["metadata"]["ownerReferences"] = owner("apps/v1", "Deployment", "web", uid);
        }
        let set_uid = installation.apply(object).await?;
        installation.apply(pod(&installation, set, ("apps/v1", "ReplicaSet", set), &set_uid, "Running")).await?;
        installation.node.route(namespace, set, 4191, server);
    }
    let arguments = ["diagnostics", "proxy-metrics", "-n", namespace, "deploy/web"];
    let plain = installation.linkerd(&arguments).await.result();
    assert_eq!(plain, format!("#\n# POD new (1 of 2)\n#\n{METRICS}#\n# POD old (2 of 2)\n#\n{METRICS}"));
    let obfuscated = installation.linkerd(&[&arguments[..], &["--obfuscate"]].concat()).await.result();
    assert_eq!(obfuscated, plain.replace("0.0.0.0:4191", "f21fd977"));
    Ok(())
}

#[tokio::test]
async fn a_cron_job_has_the_pods_of_its_jobs() -> Result<()> {
    let installation = Installation::empty().await?;
    let mut cron_job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "nightly" },
        "spec": { "schedule": "0 0 * * *", "jobTemplate": {} },
    });
    cron_job["spec"]["jobTemplate"]["spec"] = job("x")["spec"].clone();
    let uid = installation.apply(cron_job).await?;
    let mut mine = job("mine");
    mine["metadata"]["ownerReferences"] = owner("batch/v1", "CronJob", "nightly", &uid);
    for object in [mine, job("other")] {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let uid = installation.apply(object).await?;
        installation.apply(pod(&installation, &name, ("batch/v1", "Job", &name), &uid, "Succeeded")).await?;
    }
    let arguments = ["diagnostics", "proxy-metrics", "-n", &installation.namespace, "cj/nightly"];
    let metrics = installation.linkerd(&arguments).await.result();
    assert_eq!(metrics, "#\n# POD mine (1 of 1)\n#\n# ERROR: pod not running: mine\n");
    Ok(())
}

#[tokio::test]
async fn a_workload_without_proxies_is_told() -> Result<()> {
    let installation = Installation::empty().await?;
    let namespace = &installation.namespace;
    installation.apply(workload("apps/v1", "StatefulSet", "db")).await?;
    installation.pod("app", "Running", json!([container("app")])).await?;
    let error = async |resource| {
        installation.linkerd(&["diagnostics", "proxy-metrics", "-n", namespace, resource]).await.error()
    };
    assert_eq!(error("sts/db").await, format!("no pods found for statefulset/db in namespace {namespace}\n"));
    let unmeshed = error("po/app-running").await;
    assert!(
        unmeshed.starts_with(&format!("no pod of pod/app-running in namespace {namespace} has a proxy")),
        "{unmeshed}"
    );
    let missing = error("deploy/nope").await;
    assert!(
        missing.starts_with(&format!("Error: deployments.apps \"nope\" not found in namespace {namespace}\n")),
        "{missing}"
    );
    Ok(())
}

// Acceptance case 52 of the command line.
#[tokio::test]
async fn every_container_of_the_control_plane_with_an_admin_port_is_asked() -> Result<()> {
    let installation = Installation::empty().await?;
    let (server, namespace) = (server().await?, &installation.namespace);
    let none = installation.linkerd(&["diagnostics", "controller-metrics"]).await.error();
    assert!(none.starts_with(&format!("no container in namespace {namespace} has a port")), "{none}");
    let containers = json!([container_with_port("identity", "ident-admin", 9990), container("sidecar")]);
    let pod = installation.pod("linkerd-identity", "Running", containers.clone()).await?;
    installation.pod("linkerd-identity", "Failed", containers).await?;
    installation.node.route(namespace, &pod, 9990, server);
    let metrics = installation.linkerd(&["diagnostics", "controller-metrics"]).await.result();
    let failed = "#\n# POD linkerd-identity-failed (1 of 2)\n# CONTAINER identity \n# ERROR pod not running: \
                  linkerd-identity-failed\n";
    let running = format!("#\n# POD linkerd-identity-running (2 of 2)\n# CONTAINER identity \n#\n{METRICS}");
    assert_eq!(metrics, format!("{failed}{running}"));
    Ok(())
}

#[tokio::test]
async fn a_container_that_does_not_answer_is_an_error_of_its_own() -> Result<()> {
    let installation = Installation::empty().await?;
    // It takes connections, and says nothing.
    let silent = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let admin = |name: &str, port| container_with_port(name, &format!("{name}-admin"), port);
    let pod =
        installation.pod("linkerd-policy", "Running", json!([admin("absent", 9989), admin("silent", 9990)])).await?;
    installation.node.route(&installation.namespace, &pod, 9990, silent.local_addr()?);
    let metrics = installation.linkerd(&["diagnostics", "controller-metrics", "--wait", "2s"]).await.result();
    let errors: Vec<&str> = metrics.lines().filter(|line| line.contains("ERROR")).collect();
    let namespace = &installation.namespace;
    let absent = format!("# ERROR cannot read metrics from port 9989 of pod {namespace}/{pod}: ");
    assert!(errors[0].starts_with(&absent) && errors[0].contains("dial tcp4 127.0.0.1:9989"), "{metrics}");
    assert_eq!(errors[1..], [format!("# ERROR no metrics in time from container {pod}/silent")]);
    Ok(())
}

fn owner(api_version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!([{ "apiVersion": api_version, "kind": kind, "name": name, "uid": uid }])
}

/// A workload whose pods have the label `app: web`, whatever its name.
fn workload(api_version: &str, kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "labels": { "app": "web" } },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container("app")] } },
        },
    })
}

fn job(name: &str) -> Value {
    let spec = json!({ "restartPolicy": "Never", "containers": [container("app")] });
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name }, "spec": { "template": { "spec": spec } },
    })
}

fn pod(
    installation: &Installation,
    name: &str,
    (api_version, kind, owned_by): (&str, &str, &str),
    uid: &str,
    phase: &str,
) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "labels": { "app": "web" }, "ownerReferences": owner(api_version, kind, owned_by, uid),
        },
        "spec": { "nodeName": installation.node.name, "containers": [proxy()] },
        "status": { "phase": phase },
    })
}
