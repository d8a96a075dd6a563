//! The harness itself: that its API server is a real one, and that nothing outlives a test.

mod process;
mod teardown;
mod webhook;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, PostParams};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;

const AUDIENCE: &str = "identity.l5d.io";

#[tokio::test]
async fn manifests_of_any_kind_are_applied_and_deleted() -> Result<()> {
    let cluster = ApiServer::shared().await?.cluster().await?;
    let namespace = cluster.unique_namespace("manifests").await?;
    let yaml = include_str!("manifests.yaml");
    let applied = cluster.apply(&namespace, yaml).await?;
    assert_eq!(applied.len(), 2);

    let pods: Api<Pod> = Api::namespaced(cluster.client(), &namespace);
    let status = pods.get("web").await?.status.context("no status")?;
    assert_eq!(status.pod_ip.as_deref(), Some("10.0.0.7"));

    cluster.delete(&namespace, yaml).await?;
    assert!(pods.get_opt("web").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_custom_resource_can_be_applied_once_its_definition_is_installed() -> Result<()> {
    let cluster = ApiServer::shared().await?.cluster().await?;
    let namespace = cluster.unique_namespace("custom").await?;
    cluster.install_crds(include_str!("crd.yaml")).await?;
    let yaml = "{apiVersion: tests.linkerd.io/v1, kind: Sample, metadata: {name: x}, spec: {size: 3}}";
    let applied = cluster.apply(&namespace, yaml).await?;
    assert_eq!(applied[0].data["spec"]["size"], 3);

    let wrong = yaml.replace("size: 3", "size: many");
    let error = cluster.apply(&namespace, &wrong).await.unwrap_err();
    assert!(format!("{error:#}").contains("spec.size"), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_service_account_token_is_accepted_for_its_audience_only() -> Result<()> {
    let cluster = ApiServer::shared().await?.cluster().await?;
    let namespace = cluster.unique_namespace("tokens").await?;
    let token = cluster.token(&namespace, "default", &[AUDIENCE]).await?;

    let user = format!("system:serviceaccount:{namespace}:default");
    assert_eq!(reviewed(&cluster, &token, AUDIENCE).await?, Some(user));
    assert_eq!(reviewed(&cluster, &token, "somebody.else").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_user_has_only_the_rights_granted() -> Result<()> {
    let server = ApiServer::shared().await?;
    let admin = server.cluster().await?;
    let namespace = admin.unique_namespace("rights").await?;
    let token = admin.token(&namespace, "default", &[]).await?;
    let user = Cluster::from_kubeconfig(&server.kubeconfig_for(&namespace, &token)?).await?;
    let error = user.unique_namespace("forbidden").await.unwrap_err();
    assert!(format!("{error:#}").contains("forbidden"), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_killed_server_comes_back_with_its_data() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let namespace = cluster.unique_namespace("restart").await?;
    let yaml = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: b}}";
    cluster.apply(&namespace, yaml).await?;

    let address = server.address();
    server.kill();
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), &namespace);
    assert!(maps.get("kept").await.is_err());

    server.restart().await?;
    assert_eq!(server.address(), address);
    // The client of before finds its way back by itself.
    let kept = eventually(Duration::from_secs(10), || async { Ok(maps.get("kept").await?) }).await?;
    assert_eq!(kept.data.context("no data")?["a"], "b");
    Ok(())
}

#[tokio::test]
async fn a_paused_server_answers_nothing_until_it_is_resumed() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let client = server.client().await?;
    server.pause()?;
    let version = client.apiserver_version();
    let answer = tokio::time::timeout(Duration::from_millis(300), version).await;
    assert!(answer.is_err(), "{answer:?}");
    server.resume()?;
    client.apiserver_version().await?;
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_called_by_url_and_its_refusal_reaches_the_client() -> Result<()> {
    let cluster = ApiServer::shared().await?.cluster().await?;
    let namespace = cluster.unique_namespace("webhook").await?;
    let webhook = webhook::Refusing::start("not on a Friday").await?;
    cluster.apply(&namespace, &webhook.configuration(&namespace)).await?;

    let yaml = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}";
    eventually(Duration::from_secs(10), || async {
        match cluster.apply(&namespace, yaml).await {
            Ok(_) => anyhow::bail!("the webhook is not called yet"),
            Err(error) => {
                let error = format!("{error:#}");
                ensure!(error.contains("not on a Friday"), "{error}");
                Ok(())
            }
        }
    })
    .await
}

/// The user that a token is, for `audience`.
async fn reviewed(cluster: &Cluster, token: &str, audience: &str) -> Result<Option<String>> {
    let review = TokenReview {
        spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![audience.to_owned()]) },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(cluster.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    let status = answer.status.context("no status")?;
    let user = status.user.and_then(|user| user.username);
    Ok(user.filter(|_| status.authenticated == Some(true)))
}
