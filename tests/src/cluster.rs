//! What a test does with a Kubernetes API, whether it is the test's own server or a whole cluster.

mod manifests;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rand::Rng;
use serde_json::json;

use crate::eventually;

/// Who the applied fields belong to.
pub(crate) const FIELD_MANAGER: &str = "linkerd-tests";
/// How long the API may take to serve what was just defined.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A Kubernetes API and the right to do everything with it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The cluster that a kubeconfig's current context names.
    pub async fn from_kubeconfig(path: &Path) -> Result<Self> {
        let kubeconfig =
            Kubeconfig::read_from(path).with_context(|| format!("cannot read the kubeconfig {}", path.display()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .with_context(|| format!("cannot use the kubeconfig {}", path.display()))?;
        Ok(Self::new(Client::try_from(config)?))
    }

    /// The client beneath, for everything that has no method here.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Makes a namespace whose name nobody else uses, so that tests can share a server.
    pub async fn unique_namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{:08x}", rand::rng().random::<u32>());
        self.namespace(&name).await?;
        Ok(name)
    }

    /// Makes a namespace, ready for pods: with the ServiceAccount that the controller-manager
    /// would make, without which the API server takes no pod.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
        });
        self.apply_object(name, namespace).await?;
        self.service_account(name, "default").await
    }

    /// Makes a ServiceAccount.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<()> {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name },
        });
        self.apply_object(namespace, account).await.map(drop)
    }

    /// A token of a ServiceAccount for `audiences`, as a projected volume would hold it.
    pub async fn token(&self, namespace: &str, account: &str, audiences: &[&str]) -> Result<String> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let answer = accounts
            .create_token_request(account, &PostParams::default(), &request)
            .await
            .with_context(|| format!("no token for ServiceAccount {namespace}/{account}"))?;
        let status = answer.status.context("the TokenRequest came back without a status")?;
        Ok(status.token)
    }

    /// Applies the CustomResourceDefinitions in `yaml`, and returns when the API serves them.
    pub async fn install_crds(&self, yaml: &str) -> Result<()> {
        for crd in self.apply("default", yaml).await? {
            eventually(DEADLINE, || async { self.serves(&crd).await })
                .await
                .with_context(|| format!("CustomResourceDefinition {:?}", crd.metadata.name))?;
        }
        Ok(())
    }

    async fn serves(&self, applied: &DynamicObject) -> Result<()> {
        let crd = self.read(applied).await?;
        let conditions = crd.data["status"]["conditions"].as_array();
        let established = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
        ensure!(established, "not Established: {conditions:?}");
        // Established comes a moment before the discovery documents that clients read.
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let spec = &crd.data["spec"];
        let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
        for version in spec["versions"].as_array().into_iter().flatten() {
            if version["served"] == true {
                let version = text(&version["name"]);
                let gvk = kube::core::GroupVersionKind::gvk(&group, &version, &kind);
                kube::discovery::pinned_kind(&self.client, &gvk).await?;
            }
        }
        Ok(())
    }
}
