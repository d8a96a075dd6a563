//! The Kubernetes client.

mod foreign;
mod limited;
mod metrics;

pub use self::{
    foreign::{ForeignKubeconfigError, from_foreign},
    metrics::ClientMetrics,
};

use crate::{
    args::{Common, Overrides},
    metrics::Metrics,
};
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::path::Path;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A kubeconfig file that cannot be used.
    #[error("cannot use the kubeconfig {path}: {source}; check --kubeconfig")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// Neither in a cluster nor with a kubeconfig.
    #[error("found no cluster: {0}; run in a pod, or pass --kubeconfig FILE")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// A configuration of which no client can be made.
    #[error("cannot make a Kubernetes client: {0}")]
    Client(#[from] kube::Error),
}

/// Makes a client for the cluster that the arguments name.
///
/// # Errors
/// When the configuration cannot be read. The API server itself is not asked yet.
pub async fn connect(common: &Common) -> Result<Client, ClientError> {
    connect_as(common, &Overrides::default()).await
}

/// Makes a client for the cluster that the arguments name, whose requests are counted.
///
/// # Errors
/// When the configuration cannot be read. The API server itself is not asked yet.
pub async fn connect_counted(common: &Common, metrics: &Metrics) -> Result<Client, ClientError> {
    let config = config(common, &Overrides::default()).await?;
    let layer = metrics.shared(ClientMetrics::register);
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

/// Makes a client for the cluster that the arguments name, of which some override the kubeconfig.
///
/// # Errors
/// When the configuration cannot be read. The API server itself is not asked yet.
pub async fn connect_as(common: &Common, overrides: &Overrides) -> Result<Client, ClientError> {
    Ok(Client::try_from(config(common, overrides).await?)?)
}

async fn config(common: &Common, overrides: &Overrides) -> Result<Config, ClientError> {
    let Overrides { cluster, context, user, impersonate, impersonate_groups } = overrides.clone();
    let options = KubeConfigOptions { cluster, context, user };
    let is_chosen = options.cluster.is_some() || options.context.is_some() || options.user.is_some();
    let mut config = match &common.kubeconfig.0 {
        Some(path) => from_file(path, &options).await?,
        None if is_chosen => Config::from_kubeconfig(&options)
            .await
            .map_err(|source| ClientError::Kubeconfig { path: "of the environment".to_owned(), source })?,
        None => Config::infer().await?,
    };
    if impersonate.is_some() {
        config.auth_info.impersonate = impersonate;
        config.auth_info.impersonate_groups = Some(impersonate_groups).filter(|groups| !groups.is_empty());
    }
    Ok(config)
}

async fn from_file(path: &Path, options: &KubeConfigOptions) -> Result<Config, ClientError> {
    let named = |source| ClientError::Kubeconfig { path: path.display().to_string(), source };
    let kubeconfig = Kubeconfig::read_from(path).map_err(named)?;
    Config::from_custom_kubeconfig(kubeconfig, options).await.map_err(named)
}
