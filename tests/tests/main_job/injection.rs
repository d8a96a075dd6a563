//! Injection through `linkerd-injector`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service as KubernetesService};
use kube::api::Api;
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use serde_json::json;
use tempfile::TempDir;

use crate::setup::{DEADLINE, Service, ServingCertificate, cluster};

/// The injector's files: a webhook certificate, install values and trust anchors.
struct Files {
    certificate: ServingCertificate,
    folder: TempDir,
}

impl Files {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let anchor = rcgen::generate_simple_self_signed(["root.linkerd.cluster.local".to_owned()])?;
        std::fs::write(folder.path().join("ca-bundle.crt"), anchor.cert.pem())?;
        std::fs::write(folder.path().join("values"), "clusterDomain: cluster.local\n")?;
        Ok(Self { certificate: ServingCertificate::make()?, folder })
    }

    fn service(&self, kubeconfig: &Path) -> Result<Service> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        Ok(Service::new("linkerd-injector", ["-addr", "-metrics-addr"], kubeconfig)?.args(&[
            &format!("-tls-dir={}", self.certificate.folder().display()),
            &format!("-values={}", file("values")),
            &format!("-trust-anchors={}", file("ca-bundle.crt")),
        ]))
    }

    async fn register(&self, cluster: &Cluster, namespace: &str, address: std::net::SocketAddr) -> Result<()> {
        let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
                          "resources": ["pods", "services"]});
        let configuration = self.certificate.configuration("MutatingWebhookConfiguration", namespace, address, rule);
        cluster.apply(namespace, &configuration).await?;
        Ok(())
    }
}

/// A namespace whose pods want a proxy.
async fn meshed_namespace(cluster: &Cluster) -> Result<String> {
    let name = cluster.unique_namespace("injection").await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": name, "annotations": {"linkerd.io/inject": "enabled"}}});
    cluster.apply(&name, &namespace.to_string()).await?;
    cluster.service_account(&name, "default").await?;
    Ok(name)
}

fn pod(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [
        {"name": "web", "image": "web", "ports": [{"containerPort": 8080}]},
        {"name": "db", "image": "db", "ports": [{"containerPort": 3306}]},
    ]}})
    .to_string()
}

/// Creates a pod as soon as the API server calls the webhook, and returns what it made of it.
async fn created(cluster: &Cluster, namespace: &str, name: &str) -> Result<Pod> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    eventually(DEADLINE, || async {
        cluster.apply(namespace, &pod(name)).await?;
        let created = pods.get(name).await?;
        if !is_injected(&created) {
            cluster.delete(namespace, &pod(name)).await?;
        }
        ensure!(is_injected(&created), "the pod has no proxy: {:?}", created.spec);
        Ok(created)
    })
    .await
}

fn is_injected(pod: &Pod) -> bool {
    let init = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
    init.is_some_and(|containers| containers.iter().any(|container| container.name == "linkerd-proxy"))
}

#[tokio::test]
async fn a_pod_created_through_the_api_server_comes_back_injected() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let namespace = meshed_namespace(&cluster).await?;
    let files = Files::make()?;
    let Service { process, address } = files.service(server.kubeconfig())?;
    let _process = process.start(DEADLINE).await?;
    files.register(&cluster, &namespace, address).await?;

    let pod = created(&cluster, &namespace, "web").await?;
    let spec = pod.spec.context("no spec")?;
    let init: Vec<_> = spec.init_containers.unwrap_or_default().into_iter().map(|container| container.name).collect();
    assert_eq!(init, ["linkerd-init", "linkerd-proxy"]);
    let labels = pod.metadata.labels.unwrap_or_default();
    assert_eq!(labels.get("linkerd.io/control-plane-ns").map(String::as_str), Some("linkerd"));
    let annotations = pod.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations.get("config.linkerd.io/opaque-ports").map(String::as_str), Some("3306"));

    let service = "{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {ports: [{port: 3306}]}}";
    cluster.apply(&namespace, service).await?;
    let services: Api<KubernetesService> = Api::namespaced(cluster.client(), &namespace);
    let annotations = services.get("db").await?.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations.get("config.linkerd.io/opaque-ports").map(String::as_str), Some("3306"));
    Ok(())
}

#[tokio::test]
async fn pods_are_injected_again_once_the_api_server_is_back() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let namespace = meshed_namespace(&cluster).await?;
    let files = Files::make()?;
    let Service { process, address } = files.service(server.kubeconfig())?;
    let mut process = process.start(DEADLINE).await?;
    files.register(&cluster, &namespace, address).await?;
    created(&cluster, &namespace, "before").await?;
    server.kill();
    process.ensure_running()?;
    server.restart().await?;
    created(&cluster, &namespace, "after").await?;
    process.ensure_running()
}
