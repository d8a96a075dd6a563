//! The control plane of a cluster is asked through the Kubernetes API.

use crate::{
    api::Api,
    installation::{Installation, container},
    linkerd,
};
use anyhow::{Context as _, Result};
use serde_json::json;

const DESTINATION: &str = "linkerd-destination";
const POLICY: &str = "linkerd-policy";

#[tokio::test]
async fn a_server_without_proxy_is_asked_with_tls_as_its_service_account() -> Result<()> {
    let installation = Installation::configured("").await?;
    let (api, namespace) = (Api::start().await, &installation.namespace);
    for (deployment, port) in [(DESTINATION, 8086), (POLICY, 8090)] {
        let pod = installation.pod(deployment, "Running", json!([container("server")])).await?;
        let secured = installation.secured(api.address, deployment).await?;
        installation.node.route(namespace, &pod, port, secured);
    }
    let endpoints = installation.linkerd(&["diagnostics", "endpoints", "web.emojivoto"]).await.result();
    assert!(endpoints.contains("web-10"), "{endpoints}");
    let profile = installation.linkerd(&["diagnostics", "profile", "web.emojivoto:80"]).await.result();
    assert!(profile.contains("\"fully_qualified_name\": \"web\""), "{profile}");
    let policy = installation.linkerd(&["diagnostics", "policy", "po/web", "80", "-n", "ns"]).await.result();
    assert!(policy.contains("all-unauthenticated"), "{policy}");
    let asked = api.requests();
    assert_eq!(asked.last().context("nothing was asked")?, "port workload=ns:web port=80");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_somebody_else_is_told_nothing() -> Result<()> {
    let installation = Installation::configured("").await?;
    let (api, namespace) = (Api::start().await, &installation.namespace);
    let pod = installation.pod(DESTINATION, "Running", json!([container("server")])).await?;
    let imposter = installation.secured(api.address, "somebody").await?;
    installation.node.route(namespace, &pod, 8086, imposter);
    let error = installation.linkerd(&["diagnostics", "endpoints", "web.emojivoto"]).await.error();
    let who = format!("{DESTINATION}.{namespace}.serviceaccount.identity.{namespace}.mesh.example");
    assert!(
        error.starts_with("Destination API error: rpc error: code = Unavailable desc = cannot connect to"),
        "{error}"
    );
    assert!(error.contains(&format!("TLS as {who} failed: invalid peer certificate")), "{error}");

    // Plain text, where TLS should be.
    installation.node.route(namespace, &pod, 8086, api.address);
    let error = installation.linkerd(&["diagnostics", "endpoints", "web.emojivoto"]).await.error();
    assert!(error.contains("TLS as "), "{error}");
    assert_eq!(api.requests(), Vec::<String>::new());
    Ok(())
}

// Existing installations: all servers in one pod, behind a proxy.
#[tokio::test]
async fn a_server_beside_a_proxy_is_asked_in_plain_text_and_may_serve_policy_too() -> Result<()> {
    // Not configured: nobody needs to be trusted.
    let installation = Installation::empty().await?;
    let (api, namespace) = (Api::start().await, &installation.namespace);
    let pod =
        installation.pod(DESTINATION, "Running", json!([container("server"), container("linkerd-proxy")])).await?;
    installation.node.route(namespace, &pod, 8086, api.address);
    installation.node.route(namespace, &pod, 8090, api.address);
    let endpoints = installation.linkerd(&["diagnostics", "endpoints", "empty.b", "-o", "json"]).await.result();
    assert_eq!(endpoints, "[]\n");
    let policy = installation.linkerd(&["diagnostics", "policy", "po/web", "80", "--destination-pod", &pod]).await;
    assert!(policy.result().contains("all-unauthenticated"));
    let missing = installation.linkerd(&["diagnostics", "policy", "svc/web", "80", "-n", namespace]).await.error();
    assert!(
        missing.starts_with(&format!("Error: service \"web\" not found in namespace \"{namespace}\"")),
        "{missing}"
    );
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": { "ports": [{ "port": 80 }] },
    });
    installation.apply(service).await?;
    let policy = installation.linkerd(&["diagnostics", "policy", "svc/web", "80", "-n", namespace]).await.result();
    assert!(policy.contains("Default: default"), "{policy}");
    Ok(())
}

#[tokio::test]
async fn a_log_tells_which_control_plane_is_asked() -> Result<()> {
    let installation = Installation::empty().await?;
    let api = Api::start().await;
    let pod = installation.pod(DESTINATION, "Running", json!([container("linkerd-proxy")])).await?;
    installation.node.route(&installation.namespace, &pod, 8086, api.address);
    let ran = installation.linkerd(&["diagnostics", "endpoints", "web.emojivoto", "--verbose"]).await;
    let asked = format!("asking port 8086 of pod {}/{pod} in plain text", installation.namespace);
    assert!(ran.succeeded && ran.stderr.contains(&asked), "{ran:?}");
    Ok(())
}

// Acceptance case 54 of the command line.
#[tokio::test]
async fn pods_that_do_not_run_are_not_asked() -> Result<()> {
    let installation = Installation::configured("").await?;
    installation.pod(DESTINATION, "Pending", json!([container("server")])).await?;
    let error = installation.linkerd(&["diagnostics", "endpoints", "web.emojivoto"]).await.error();
    let none = format!("no running pods found for {DESTINATION} in namespace {}", installation.namespace);
    assert!(error.starts_with(&format!("Error creating destination client: {none}")), "{error}");
    // A Deployment of the policy server that has no running pod is not made up for by another.
    installation.pod(POLICY, "Failed", json!([container("server")])).await?;
    let error = installation.linkerd(&["diagnostics", "policy", "po/web", "80"]).await.error();
    assert!(error.starts_with(&format!("Error: no running pods found for {POLICY}")), "{error}");
    let error = installation.linkerd(&["diagnostics", "profile", "a", "--destination-pod", "nope"]).await.error();
    assert_eq!(error, "Error creating destination client: pods \"nope\" not found\n");
    Ok(())
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_and_a_missing_right_are_told_with_their_cause() -> Result<()> {
    let installation = Installation::configured("").await?;
    let namespace = &installation.namespace;
    for (deployment, port, server) in [(DESTINATION, 8086, "linkerd-proxy"), (POLICY, 8090, "server")] {
        let pod = installation.pod(deployment, "Running", json!([container(server)])).await?;
        let error = match port {
            8086 => installation.linkerd(&["diagnostics", "profile", "web.emojivoto"]).await.error(),
            _ => installation.linkerd(&["diagnostics", "policy", "po/web", "80"]).await.error(),
        };
        let refused = format!("dial tcp4 127.0.0.1:{port}: connect: connection refused");
        let cannot = format!("cannot connect to port {port} of pod {namespace}/{pod}: {refused}\n");
        assert!(error.contains(&format!("rpc error: code = Unavailable desc = {cannot}")), "{error}");
    }

    installation.cluster.service_account(namespace, "nobody").await?;
    let token = installation.cluster.token(namespace, "nobody", &["https://kubernetes.default.svc"]).await?;
    let kubeconfig = installation.server.kubeconfig_for(namespace, &token)?;
    let ran = linkerd(&kubeconfig, &["-L", namespace, "diagnostics", "endpoints", "web.emojivoto"], "").await;
    let error = ran.error();
    let cannot =
        format!("Error creating destination client: cannot list pods in namespace {namespace}: pods is forbidden");
    assert!(error.starts_with(&cannot), "{error}");
    Ok(())
}
