//! Certificates that webhooks issue themselves.

use anyhow::{Context, Result, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use serde_json::json;

use crate::setup::{DEADLINE, Service};

const NAMESPACE: &str = "linkerd";
const SERVICE: &str = "linkerd-sp-validator";

/// The authorities that the API server would trust, and those in the Secret.
async fn authorities(cluster: &Cluster) -> Result<(ByteString, ByteString)> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client());
    let configuration = configurations.get(&format!("{SERVICE}-webhook-config")).await?;
    let webhook = configuration.webhooks.unwrap_or_default().pop().context("no webhook")?;
    let secrets: Api<Secret> = Api::namespaced(cluster.client(), NAMESPACE);
    let mut data = secrets.get(&format!("{SERVICE}-k8s-tls")).await?.data.unwrap_or_default();
    let bundle = webhook.client_config.ca_bundle.context("no caBundle yet")?;
    Ok((bundle, data.remove("ca.crt").context("no ca.crt")?))
}

#[tokio::test]
async fn a_webhook_issues_its_certificate_and_mends_what_others_change() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    cluster.namespace(NAMESPACE).await?;
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": format!("{SERVICE}-webhook-config")},
        "webhooks": [{
            "name": "linkerd-sp-validator.linkerd.io",
            "clientConfig": {"service": {"name": SERVICE, "namespace": NAMESPACE, "path": "/"}},
            "failurePolicy": "Ignore", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "rules": [{"operations": ["CREATE"], "apiGroups": ["linkerd.io"], "apiVersions": ["v1alpha2"],
                       "resources": ["serviceprofiles"]}],
        }],
    });
    cluster.apply(NAMESPACE, &configuration.to_string()).await?;
    let replica = || -> Result<_> {
        let service = Service::new(SERVICE, ["-addr", "-metrics-addr"], server.kubeconfig())?;
        Ok(service.args(&[&format!("-webhook-service={SERVICE}"), "-controller-namespace=linkerd"]).process)
    };
    // Two replicas at once, which must agree on one certificate.
    let (mut first, mut second) = (replica()?.spawn()?, replica()?.spawn()?);
    first.ready(DEADLINE).await?;
    second.ready(DEADLINE).await?;
    let (bundle, held) = authorities(&cluster).await?;
    assert_eq!(bundle, held);
    assert_eq!(String::from_utf8(held.0.clone())?.matches("BEGIN CERTIFICATE").count(), 1);

    // An upgrade applies the configuration as the chart renders it, without the authorities.
    cluster.delete(NAMESPACE, &configuration.to_string()).await?;
    cluster.apply(NAMESPACE, &configuration.to_string()).await?;
    eventually(DEADLINE, || async {
        let (bundle, now) = authorities(&cluster).await?;
        ensure!(bundle == held && now == held, "another certificate was issued");
        Ok(())
    })
    .await?;

    // Somebody deletes the Secret: another certificate is issued, and the API server told of it.
    let secret = format!("{{apiVersion: v1, kind: Secret, metadata: {{name: {SERVICE}-k8s-tls}}}}");
    cluster.delete(NAMESPACE, &secret).await?;
    eventually(DEADLINE, || async {
        let (bundle, now) = authorities(&cluster).await?;
        ensure!(bundle == now && now != held, "the webhook has no new certificate");
        Ok(())
    })
    .await?;
    first.ensure_running()?;
    second.ensure_running()
}
