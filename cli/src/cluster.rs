//! The cluster that the options of every command name.

use crate::global::{Cluster, Global};
use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::path::Path;

/// A client for the cluster. The API server itself is not asked yet.
///
/// # Errors
/// When the configuration cannot be read, or names no cluster.
pub async fn connect(global: &Global) -> anyhow::Result<Client> {
    let client = async { Ok::<_, anyhow::Error>(Client::try_from(config(global.cluster()).await?)?) };
    client.await.context("error configuring Kubernetes API client")
}

async fn config(cluster: &Cluster) -> anyhow::Result<Config> {
    let given = cluster.kubeconfig.as_deref().filter(|path| !path.is_empty());
    let kubeconfig = match given {
        Some(path) => Kubeconfig::read_from(Path::new(path)).with_context(|| format!("cannot use {path}")),
        None => Kubeconfig::read().context("no kubeconfig; give one with --kubeconfig"),
    };
    let options = KubeConfigOptions { context: cluster.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match kubeconfig {
        Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await?,
        // In a pod there is no file.
        Err(error) => Config::incluster().ok().filter(|_| given.is_none()).ok_or(error)?,
    };
    if let Some(user) = &cluster.impersonate {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups = Some(cluster.impersonate_groups.clone());
    }
    Ok(config)
}
