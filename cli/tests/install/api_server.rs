//! A real API server takes what is rendered.

use crate::rendering::{Credentials, Objects, linkerd};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::api::{Api, Patch, PatchParams, PostParams};
use linkerd_tests::{apiserver::ApiServer, cluster::Cluster};
use serde_json::{Value, json};

/// Installs everything in a server of its own: definitions and roles are not in a namespace.
async fn installed(arguments: &[&str]) -> Result<(ApiServer, Cluster, Objects)> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    for definition in linkerd(&["--crds"]).iter() {
        cluster.install_crds(&definition.to_string()).await?;
    }
    let objects = linkerd(arguments);
    for object in objects.iter() {
        cluster.apply_object("default", object.clone()).await?;
    }
    Ok((server, cluster, objects))
}

#[tokio::test]
async fn every_object_is_accepted_and_the_pods_conform_to_the_restricted_standard() -> Result<()> {
    let credentials = Credentials::make();
    for more in [&[][..], &["--ha", "--controller-gid=5", "--set", "disableIPv6=false,policyValidator.enabled=true"]] {
        let arguments = [&credentials.flags(), more].concat();
        let (_server, cluster, objects) = installed(&arguments).await?;
        let pods: Api<Pod> = Api::namespaced(cluster.client(), "linkerd");
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        for deployment in deployments {
            let name = deployment["metadata"]["name"].as_str().context("no name")?;
            let pod = serde_json::from_value(pod_of(deployment, name))?;
            // The namespace enforces the standard: the API server refuses what does not conform.
            let dry_run = PostParams { dry_run: true, ..PostParams::default() };
            pods.create(&dry_run, &pod).await.with_context(|| format!("pod of {name}"))?;
        }
    }
    Ok(())
}

fn pod_of(deployment: &Value, name: &str) -> Value {
    let template = &deployment["spec"]["template"];
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod" });
    pod["spec"] = template["spec"].clone();
    pod["metadata"] = template["metadata"].clone();
    pod["metadata"]["name"] = format!("{name}-0").into();
    pod
}

#[tokio::test]
async fn a_pod_that_does_not_conform_is_refused_in_the_namespace_of_the_control_plane() -> Result<()> {
    let (_server, cluster, objects) = installed(&[]).await?;
    let mut pod = pod_of(objects.get("Deployment", "linkerd-identity"), "linkerd-identity");
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "linkerd");
    let refused = pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await;
    let reason = refused.err().context("it was created")?.to_string();
    ensure!(reason.contains("restricted"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn applying_again_changes_nothing() -> Result<()> {
    let credentials = Credentials::make();
    let (_server, cluster, objects) = installed(&credentials.flags()).await?;
    for object in objects.iter() {
        let before = cluster.read(&serde_json::from_value(object.clone())?).await;
        let after = cluster.apply_object("linkerd", object.clone()).await?;
        // Objects outside of namespaces are read as they are, others in their own.
        let before = before.context("it is there")?;
        ensure!(before.metadata.resource_version == after.metadata.resource_version, "{object}");
    }
    Ok(())
}

/// What a command does with a cluster.
fn with_cluster(server: &ApiServer, arguments: &[&str]) -> Result<(bool, String, String)> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_linkerd"));
    let output = command.env_clear().arg("--kubeconfig").arg(server.kubeconfig()).args(arguments).output()?;
    Ok((output.status.success(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
}

async fn apply(cluster: &Cluster, objects: &Objects) -> Result<()> {
    for object in objects.iter() {
        cluster.apply_object("default", object.clone()).await?;
    }
    Ok(())
}

// Acceptance cases 24 and 36 of installation.
#[tokio::test]
async fn a_cluster_is_installed_to_once_definitions_first_and_left_without_a_trace() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let refused = |(succeeded, stdout, stderr): (bool, String, String), reason: &str| {
        ensure!(!succeeded && stdout.is_empty() && stderr.contains(reason), "{stdout}{stderr}");
        Ok(())
    };
    refused(with_cluster(&server, &["uninstall"])?, "No resources found to uninstall")?;
    refused(with_cluster(&server, &["install"])?, "Run linkerd install with the --crds flag.")?;
    let (_, definitions, _) = with_cluster(&server, &["install", "--crds"])?;
    cluster.install_crds(&definitions).await?;

    let (succeeded, yaml, said) = with_cluster(&server, &["install"])?;
    ensure!(succeeded, "{said}");
    let objects = Objects::read(&yaml);
    apply(&cluster, &objects).await?;
    refused(with_cluster(&server, &["install"])?, "`linkerd upgrade`")?;
    refused(with_cluster(&server, &["install", "--crds"])?, "`linkerd upgrade`")?;
    refused(with_cluster(&server, &["install", "-L", "other"])?, "a control plane in namespace linkerd")?;

    cluster.namespace("web").await?;
    let meshed = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {linkerd.io/control-plane-ns: linkerd}}, \
                  spec: {containers: [{name: a, image: b}]}}";
    cluster.apply("web", meshed).await?;
    refused(with_cluster(&server, &["uninstall"])?, "\t* web/web\n")?;
    let (succeeded, yaml, said) = with_cluster(&server, &["uninstall", "--force"])?;
    ensure!(succeeded, "{said}");
    let removed = Objects::read(&yaml).in_order();
    let cluster_wide = ["ClusterRole", "CustomResourceDefinition", "WebhookConfiguration", "Namespace"];
    let all = objects.in_order().into_iter().chain(Objects::read(&definitions).in_order());
    for installed in all.filter(|object| cluster_wide.iter().any(|kind| object.contains(kind))) {
        ensure!(removed.contains(&installed), "{installed} stays: {removed:?}");
    }
    let (_, kept, _) = with_cluster(&server, &["uninstall", "--force", "--keep-crds", "-o=json"])?;
    ensure!(!kept.contains("CustomResourceDefinition") && Objects::read(&kept).in_order().len() + 10 == removed.len());
    refused(with_cluster(&server, &["uninstall", "--force", "-L", "other"])?, "No resources found")
}

#[tokio::test]
async fn trust_anchors_of_an_external_issuer_are_read_from_its_secret() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let (_, definitions, _) = with_cluster(&server, &["install", "--crds"])?;
    cluster.install_crds(&definitions).await?;
    let (_, _, said) = with_cluster(&server, &["install", "--identity-external-issuer"])?;
    ensure!(said.contains("ca.crt"), "{said}");
    let anchors = std::fs::read_to_string(Credentials::make().anchors())?;
    cluster.namespace("linkerd").await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "linkerd-identity-issuer" },
        "stringData": { "ca.crt": anchors },
    });
    cluster.apply_object("linkerd", secret).await?;
    let (succeeded, yaml, said) = with_cluster(&server, &["install", "--identity-external-issuer"])?;
    ensure!(succeeded, "{said}");
    let bundle = Objects::read(&yaml).get("ConfigMap", "linkerd-identity-trust-roots")["data"]["ca-bundle.crt"].clone();
    ensure!(bundle == anchors.trim(), "{bundle}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_comes_with_the_way_round_it() -> Result<()> {
    let mut server = ApiServer::start().await?;
    server.kill();
    for arguments in [&["install"][..], &["install", "--crds"], &["install", "--context", "nope"]] {
        let (succeeded, stdout, stderr) = with_cluster(&server, arguments)?;
        ensure!(!succeeded && stdout.is_empty() && stderr.contains("--ignore-cluster"), "{stderr}");
    }
    Ok(())
}

/// The control plane issues the certificates of its webhooks, and an upgrade must not take them away.
#[tokio::test]
async fn an_upgrade_by_helm_or_by_manifests_keeps_the_authorities_of_the_webhooks() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let credentials = Credentials::make();
    cluster.namespace("linkerd").await?;
    let said = helm(&server, &["install", "linkerd-crds"], &[])?;
    ensure!(said.contains("STATUS: deployed"), "{said}");
    let said = helm(&server, &["install", "linkerd-control-plane"], &credentials.flags())?;
    ensure!(said.contains("kubectl label namespace linkerd") && !said.contains("no effect"), "{said}");

    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(cluster.client());
    let name = "linkerd-proxy-injector-webhook-config";
    let authority = json!([{ "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "YQ==" }]);
    let patch = Patch::<()>::Json(serde_json::from_value(authority)?);
    webhooks.patch(name, &PatchParams::default(), &patch).await?;
    let kept = || async {
        let webhook = webhooks.get(name).await?.webhooks.context("no webhooks")?.remove(0);
        ensure!(webhook.client_config.ca_bundle.context("no authority")?.0 == b"a");
        Ok(webhook.failure_policy)
    };
    ensure!(kept().await?.as_deref() == Some("Ignore"));
    let more = ["--set", "webhookFailurePolicy=Fail,identityProxyResources.cpu.limit=1"];
    let said = helm(&server, &["upgrade", "linkerd-control-plane"], &[&credentials.flags(), &more[..]].concat())?;
    ensure!(said.contains("- identityProxyResources: "), "{said}");
    ensure!(kept().await?.as_deref() == Some("Fail"));
    apply(&cluster, &linkerd(&credentials.flags())).await?;
    ensure!(kept().await?.as_deref() == Some("Ignore"));
    Ok(())
}

/// Runs `helm VERB CHART`, and returns what it says.
fn helm(server: &ApiServer, [verb, chart]: &[&str; 2], arguments: &[&str]) -> Result<String> {
    // Names how to get helm when it is missing.
    linkerd_tests::helm::template("linkerd-crds", &[])?;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut command = std::process::Command::new(format!("{root}/.cache/tools/helm"));
    command.env_clear().env("HOME", server.folder()).args([verb, chart]).arg(format!("{root}/charts/{chart}"));
    command.arg("--kubeconfig").arg(server.kubeconfig()).args(["--namespace", "linkerd"]).args(arguments);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
