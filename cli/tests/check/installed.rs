//! A cluster with the control plane: our own manifests, and what controllers and kubelet would add.

use super::{
    linkerd,
    webhooks::{Certificate, Webhooks},
};
use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use linkerd_tests::{apiserver::ApiServer, cluster::Cluster};
use serde_json::{Value, json};

pub struct Installed {
    pub server: ApiServer,
    pub cluster: Cluster,
    /// Without them, nobody judges what is made.
    pub webhooks: Option<Webhooks>,
    pub anchors: String,
}

/// What `linkerd install` prints.
async fn manifests(arguments: &[&str]) -> Result<Vec<Value>> {
    let ran = linkerd(None, &[&["install", "--ignore-cluster", "-o", "json"], arguments].concat()).await?;
    anyhow::ensure!(ran.code == 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).context("JSON")).collect()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.with_context(|| format!("{kind} {name}"))
}

impl Installed {
    pub async fn start() -> Result<Self> {
        let server = ApiServer::start().await?;
        let cluster = server.cluster().await?;
        for definition in manifests(&["--crds"]).await? {
            cluster.install_crds(&definition.to_string()).await?;
        }
        let objects = manifests(&[]).await?;
        let data = |name: &str, key: &str| {
            let data = find(&objects, "ConfigMap", name)?["data"][key].as_str();
            anyhow::Ok(data.context(key.to_owned())?.to_owned())
        };
        let anchors = data("linkerd-identity-trust-roots", "ca-bundle.crt")?;
        let certificate = Certificate::make()?;
        let webhooks = Webhooks::serve(&certificate, &data("linkerd-config", "values")?, &anchors)?;
        let this = Self { server, cluster, webhooks: Some(webhooks), anchors };
        for object in &objects {
            this.install(object.clone(), &certificate).await?;
        }
        // What the controller-manager makes in every namespace.
        this.cluster.service_account("default", "default").await?;
        this.apply("default", node()).await?;
        Ok(this)
    }

    pub async fn apply(&self, namespace: &str, object: Value) -> Result<()> {
        self.cluster.apply_object(namespace, object).await.map(drop)
    }

    /// Sets how a pod of the control plane is.
    pub async fn set_status(&self, pod: &str, status: Value) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client(), "linkerd");
        let patch = Patch::Merge(json!({ "status": status }));
        pods.patch_status(pod, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Applies an object, and does what is done about it in a cluster.
    async fn install(&self, mut object: Value, certificate: &Certificate) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        if kind.ends_with("WebhookConfiguration") {
            self.point_at_loopback(&mut object, certificate)?;
            let name = object["webhooks"][0]["name"].as_str().context("no name")?.trim_end_matches(".linkerd.io");
            self.apply("linkerd", secret(name, certificate)).await?;
        }
        let pod = (kind == "Deployment").then(|| pod_of(&object));
        self.apply("linkerd", object).await?;
        match pod {
            Some(pod) => self.apply("linkerd", pod).await,
            None => Ok(()),
        }
    }

    /// The API server has no way to Services.
    fn point_at_loopback(&self, configuration: &mut Value, certificate: &Certificate) -> Result<()> {
        let webhooks = self.webhooks.as_ref().context("no webhooks")?;
        let address = match configuration["kind"] == "MutatingWebhookConfiguration" {
            true => webhooks.injector,
            false => webhooks.validator,
        };
        let bundle = BASE64_STANDARD.encode(&certificate.authority);
        configuration["webhooks"][0]["clientConfig"] =
            json!({ "url": format!("https://{address}/"), "caBundle": bundle });
        Ok(())
    }
}

/// What a webhook's process keeps its certificate in.
fn secret(service: &str, certificate: &Certificate) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("{service}-k8s-tls") },
        "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": certificate.certificate, "tls.key": certificate.key, "ca.crt": certificate.authority },
    })
}

/// The pod of a Deployment, running and ready.
fn pod_of(deployment: &Value) -> Value {
    let template = &deployment["spec"]["template"];
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod" });
    pod["spec"] = template["spec"].clone();
    pod["metadata"] = template["metadata"].clone();
    pod["metadata"]["name"] = format!("{}-0", deployment["metadata"]["name"].as_str().unwrap_or_default()).into();
    let name = &template["spec"]["containers"][0]["name"];
    pod["status"] = status(&[(name.as_str().unwrap_or_default(), true)]);
    pod
}

/// The status of a running pod, with its containers and whether each is ready.
pub fn status(containers: &[(&str, bool)]) -> Value {
    let containers = containers.iter().map(|(name, is_ready)| {
        json!({ "name": name, "ready": is_ready, "restartCount": 0, "image": "image", "imageID": "id",
                "state": { "running": {} } })
    });
    json!({ "phase": "Running", "podIP": "10.1.0.5", "podIPs": [{ "ip": "10.1.0.5" }],
            "containerStatuses": containers.collect::<Vec<_>>() })
}

fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "node" },
        "spec": { "podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"] },
    })
}
