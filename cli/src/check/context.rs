//! What checks look at: the cluster, what the user asked for, and the time.

use super::{
    engine::Subject,
    reads::Reads,
    verdict::{Finding, Verdict},
};
use crate::{cluster, global::Global, linkerd_config};
use jiff::Timestamp;
use linkerd_injector::core::values::Values;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Options of every command.
    pub global: Global,
    /// Namespace of the data plane; all when absent.
    pub data_plane_namespace: Option<String>,
    /// The version that everything should have, if the user named one.
    pub expected_version: Option<String>,
    /// The version of this program.
    pub cli_version: String,
    /// Whether the CNI plug-in will be needed.
    pub wants_cni: bool,
}

/// What checks look at.
pub struct Context {
    /// What the user asked for.
    pub options: Options,
    reads: OnceCell<Reads>,
}

/// What the control plane was installed with.
#[derive(Debug)]
pub struct Config {
    /// The values as they are stored.
    pub tree: Value,
    /// The values as the injector reads them.
    pub values: Values,
}

impl Context {
    /// A context that is not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options, reads: OnceCell::new() }
    }

    /// Makes a client; the cluster itself is not asked.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn connect(&self) -> Verdict {
        self.reads
            .get_or_try_init(|| async {
                Ok::<_, anyhow::Error>(Reads::new(cluster::connect(&self.options.global).await?))
            })
            .await?;
        Ok(())
    }

    /// The cluster.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn reads(&self) -> Result<&Reads, Finding> {
        self.reads.get().ok_or_else(|| Finding::error("there is no connection to a cluster"))
    }

    /// Namespace of the control plane.
    pub fn namespace(&self) -> &str {
        self.options.global.namespace()
    }

    /// Namespace of the CNI plug-in.
    pub fn cni_namespace(&self) -> &str {
        &self.options.global.cluster().cni_namespace
    }

    /// The label of everything that belongs to the control plane.
    pub fn label(&self) -> String {
        format!("{}={}", linkerd_k8s::names::label::CONTROL_PLANE_NS, self.namespace())
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// What the control plane was installed with.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn config(&self) -> Result<Arc<Config>, Finding> {
        let reads = self.reads()?;
        let read = async {
            let tree = linkerd_config::tree(&reads.client(), self.namespace()).await?;
            let values = Values::from_tree(tree.clone()).map_err(|error| {
                Finding::Error(format!("the values in ConfigMap linkerd-config cannot be used: {error}"))
            })?;
            Ok(Config { tree, values })
        };
        reads.once("configuration".to_owned(), read).await
    }

    /// The trust anchors, in PEM.
    ///
    /// # Errors
    /// When they are not there, or cannot be read.
    pub async fn trust_anchors(&self) -> Result<Arc<String>, Finding> {
        let reads = self.reads()?;
        let read = async { Ok(linkerd_config::trust_anchors(&reads.client(), self.namespace()).await?) };
        reads.once("trust anchors".to_owned(), read).await
    }
}

impl Subject for Context {
    fn forget(&mut self) {
        if let Some(reads) = self.reads.get() {
            reads.forget();
        }
    }
}

impl Config {
    /// Whether a value is true.
    pub fn is(&self, pointer: &str) -> bool {
        self.tree.pointer(pointer) == Some(&Value::Bool(true))
    }

    /// A text among the values; empty when it is not there.
    pub fn text(&self, pointer: &str) -> &str {
        self.tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
