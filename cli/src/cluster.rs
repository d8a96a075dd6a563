//! The cluster that the options of every command name.

use crate::global::{Cluster, Global, given};
use anyhow::{Chain, Context as _, anyhow, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::{
    error::Error,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest wait for an answer of the Kubernetes API.
const LIMIT: Duration = Duration::from_secs(30);

/// A client for the cluster. The API server itself is not asked yet.
///
/// # Errors
/// When the configuration cannot be read, or names no cluster.
pub async fn connect(global: &Global) -> anyhow::Result<Client> {
    find(global).await?.ok_or_else(|| {
        let looked_for = places().iter().map(|path| format!(" at {}", path.display())).collect::<Vec<_>>().join(" or");
        anyhow!("no kubeconfig{looked_for}; name one with --kubeconfig FILE").context(FAILED)
    })
}

/// A client for the cluster, if anything tells of one: an option, a kubeconfig, or the pod that this is.
///
/// # Errors
/// When the configuration cannot be read or used.
pub async fn find(global: &Global) -> anyhow::Result<Option<Client>> {
    let client = async {
        let Some(config) = config(global.cluster()).await? else { return Ok(None) };
        tracing::debug!(url = %config.cluster_url, namespace = config.default_namespace, "cluster");
        Ok::<_, anyhow::Error>(Some(Client::try_from(config)?))
    };
    client.await.context(FAILED)
}

const FAILED: &str = "error configuring Kubernetes API client";

async fn config(cluster: &Cluster) -> anyhow::Result<Option<Config>> {
    let context = given(&cluster.context);
    let mut config = match kubeconfig(cluster)? {
        Some(kubeconfig) => {
            let is_there = |name: &str| kubeconfig.contexts.iter().any(|context| context.name == name);
            if let Some(context) = context.filter(|context| !is_there(context)) {
                bail!("context \"{context}\" does not exist");
            }
            if context.is_none() && kubeconfig.current_context.as_deref().unwrap_or_default().is_empty() {
                bail!("the kubeconfig has no current context; name one with --context");
            }
            let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| anyhow!(told(&error)))?
        }
        None => match (context, Config::incluster()) {
            (Some(context), _) => bail!("context \"{context}\" does not exist"),
            // In a pod there is no file.
            (None, Ok(config)) => config,
            (None, Err(_)) => return Ok(None),
        },
    };
    if let Some(user) = given(&cluster.impersonate) {
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(cluster.impersonate_groups.clone());
    }
    Ok(Some(config))
}

/// The file that is named, or else the merged ones of the environment that are there.
fn kubeconfig(cluster: &Cluster) -> anyhow::Result<Option<Kubeconfig>> {
    if let Some(path) = given(&cluster.kubeconfig) {
        return read(Path::new(path)).map(Some);
    }
    let mut merged: Option<Kubeconfig> = None;
    for path in places().iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            Some(first) => first.merge(next).with_context(|| format!("cannot merge {}", path.display()))?,
            None => next,
        });
    }
    Ok(merged)
}

fn read(file: &Path) -> anyhow::Result<Kubeconfig> {
    let path = file.display();
    Kubeconfig::read_from(file).map_err(|error| match error {
        KubeconfigError::ReadConfig(cause, _) => anyhow!("cannot read {path}: {cause}"),
        // Parsers draw pictures of the text; one line without them is enough.
        error => anyhow!("cannot use {path}: {}", told(&error).lines().next().unwrap_or_default()),
    })
}

/// Where kubeconfigs are looked for unless one is named.
fn places() -> Vec<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    match listed.is_empty() {
        true => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
        false => listed,
    }
}

/// The answer of the Kubernetes API to a question; its errors tell what the server said, or why it could not
/// be asked.
///
/// # Errors
/// When it refuses, cannot be reached, or does not answer in time.
pub async fn ask<T>(question: impl Future<Output = kube::Result<T>>) -> anyhow::Result<T> {
    let answer = tokio::time::timeout(LIMIT, question).await;
    let answer = answer.map_err(|_| anyhow!("the Kubernetes API did not answer within {} s", LIMIT.as_secs()))?;
    answer.map_err(|error| anyhow!(failure(&error)))
}

/// What went wrong with a request, in one line.
pub fn failure(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => {
            format!("the answer is HTTP {}, without a reason; is this a Kubernetes API?", status.code)
        }
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(error) => told(&**error),
        error => told(error),
    }
}

/// An error and its causes, each once: many name their cause in their own text.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in Chain::new(error).skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
