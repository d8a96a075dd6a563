//! ServiceProfiles through `linkerd-sp-validator`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use linkerd_tests::{eventually, helm};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::setup::{DEADLINE, Service, ServingCertificate, cluster};

const WRONG: &str = "
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata: {name: web-svc.emojivoto.svc.cluster.local}
spec: {routes: [{name: list, timeout: one-second, condition: {method: GET}}]}
";

#[tokio::test]
async fn a_wrong_profile_is_rejected_with_the_reason_and_a_right_one_is_taken() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let namespace = cluster.unique_namespace("profiles").await?;
    let certificate = ServingCertificate::make()?;
    let Service { process, address } =
        Service::new("linkerd-sp-validator", ["-addr", "-metrics-addr"], server.kubeconfig())?
            .args(&[&format!("-tls-dir={}", certificate.folder().display())]);
    let _validator = process.start(DEADLINE).await?;
    let rule = json!({
        "operations": ["CREATE", "UPDATE"], "apiGroups": ["linkerd.io"],
        "apiVersions": ["v1alpha1", "v1alpha2"], "resources": ["serviceprofiles"],
    });
    let configuration = certificate.configuration("ValidatingWebhookConfiguration", &namespace, address, rule);
    cluster.apply(&namespace, &configuration).await?;

    // The API server takes a moment to call a webhook that is new to it.
    eventually(DEADLINE, || async {
        let Err(error) = cluster.apply(&namespace, WRONG).await else { anyhow::bail!("the profile was taken") };
        let error = format!("{error:#}");
        ensure!(error.contains("has a route with an invalid timeout: time: invalid duration"), "{error}");
        Ok(())
    })
    .await?;
    cluster.apply(&namespace, &WRONG.replace("one-second", "1s")).await?;
    Ok(())
}

/// Shakes hands with a server that has the certificate of a folder; which one it showed.
async fn handshake(
    address: SocketAddr,
    folder: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<CertificateDer<'static>> {
    let certificate = CertificateDer::from_pem_file(folder.join("tls.crt"))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let stream = TcpStream::connect(address).await?;
    let stream = connector.connect(ServerName::try_from("127.0.0.1")?, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().context("no certificate was shown")?;
    Ok(shown[0].clone().into_owned())
}

/// Case 25 of service profiles.
#[tokio::test]
async fn tls_is_of_this_day_and_a_replaced_certificate_is_served_without_a_restart() -> Result<()> {
    let (server, _) = cluster().await?;
    let (first, second) = (ServingCertificate::make()?, ServingCertificate::make()?);
    let Service { process, address } =
        Service::new("linkerd-sp-validator", ["-addr", "-metrics-addr"], server.kubeconfig())?
            .args(&[&format!("-tls-dir={}", first.folder().display())]);
    let mut validator = process.start(DEADLINE).await?;
    let shown = handshake(address, first.folder(), &[&version::TLS13]).await?;
    ensure!(handshake(address, first.folder(), &[&version::TLS12]).await.is_err(), "TLS 1.2 is spoken");
    for name in ["tls.crt", "tls.key"] {
        std::fs::copy(second.folder().join(name), first.folder().join(name))?;
    }
    // The folder has the new certificate now, which is the only one that this client trusts.
    let replaced =
        eventually(DEADLINE, || async { handshake(address, first.folder(), &[&version::TLS13]).await }).await?;
    ensure!(replaced != shown, "the old certificate is still served");
    validator.ensure_running()
}

/// The webhook of the chart that judges ServiceProfiles.
fn webhook_of_the_chart() -> Result<Value> {
    let rendered = helm::template(
        "linkerd-control-plane",
        &["--set", "identityTrustAnchorsPEM=none,identity.issuer.scheme=kubernetes.io/tls"],
    )?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let webhooks = objects.into_iter().find(|object| {
        object["kind"] == "ValidatingWebhookConfiguration"
            && object["metadata"]["name"] == "linkerd-sp-validator-webhook-config"
    });
    let webhooks = webhooks.context("the chart has no webhook for ServiceProfiles")?;
    Ok(webhooks["webhooks"][0].clone())
}

/// Case 27 of service profiles, by the selector of the chart.
#[tokio::test]
async fn a_namespace_may_do_without_the_webhook() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let (judged, excused) = (cluster.unique_namespace("judged").await?, cluster.unique_namespace("excused").await?);
    let labels = json!({"config.linkerd.io/admission-webhooks": "disabled"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": excused, "labels": labels}});
    cluster.apply_object(&excused, namespace).await?;
    let certificate = ServingCertificate::make()?;
    let Service { process, address } =
        Service::new("linkerd-sp-validator", ["-addr", "-metrics-addr"], server.kubeconfig())?
            .args(&[&format!("-tls-dir={}", certificate.folder().display())]);
    let _validator = process.start(DEADLINE).await?;
    let of_chart = webhook_of_the_chart()?;
    let configuration =
        certificate.configuration("ValidatingWebhookConfiguration", &judged, address, of_chart["rules"][0].clone());
    let mut configuration: Value = serde_json::from_str(&configuration)?;
    // Only the two namespaces are concerned, so that other tests on the server see nothing.
    let mut selector = of_chart["namespaceSelector"].clone();
    let ours = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": [judged, excused]});
    selector["matchExpressions"].as_array_mut().context("the chart's selector has no expressions")?.push(ours);
    configuration["webhooks"][0]["namespaceSelector"] = selector;
    cluster.apply_object(&judged, configuration).await?;
    eventually(DEADLINE, || async {
        ensure!(cluster.apply(&judged, WRONG).await.is_err(), "the profile was taken");
        Ok(())
    })
    .await?;
    cluster.apply(&excused, WRONG).await.map(drop)
}
