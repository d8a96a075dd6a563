//! Every injected pod proves to be its service account, with a certificate that the mesh trusts.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::Api;
use linkerd_tests::eventually;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::Proxy;
use crate::mesh::{CONTROL_PLANE, DEMO, MOMENT, Mesh, identity, is_injected, name};

/// Port of the proxy's own server, which takes TLS connections to its identity too.
const ADMIN: u16 = 4191;

pub async fn certificates(mesh: &Mesh) -> Result<()> {
    let connector = connector(mesh).await?;
    let pods = mesh.pods(DEMO, "").await?;
    for pod in pods.iter().filter(|pod| is_injected(pod)) {
        let expires = mesh.proxy_metrics(pod).await?.value("control_identity_cert_expiration_timestamp_seconds")?;
        ensure!(expires > now()?, "the certificate of {} has expired", name(pod));
        if mesh.proxy == Proxy::Real {
            eventually(MOMENT, || shake_hands(mesh, &connector, pod)).await.with_context(|| name(pod).to_owned())?;
        }
    }
    ensure!(pods.iter().filter(|pod| is_injected(pod)).count() >= 4, "fewer than four pods have a proxy");
    Ok(())
}

fn now() -> Result<f64> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64())
}

/// Trusts what the installed control plane tells proxies to trust.
async fn connector(mesh: &Mesh) -> Result<TlsConnector> {
    let maps: Api<ConfigMap> = Api::namespaced(mesh.cluster.client(), CONTROL_PLANE);
    let anchors = maps.get("linkerd-identity-trust-roots").await?.data.unwrap_or_default();
    let anchors = anchors.get("ca-bundle.crt").context("linkerd-identity-trust-roots has no ca-bundle.crt")?;
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_slice_iter(anchors.as_bytes()) {
        roots.add(anchor?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// A handshake that ends well only if the proxy shows a certificate of the mesh for the pod's identity.
async fn shake_hands(mesh: &Mesh, connector: &TlsConnector, pod: &Pod) -> Result<()> {
    let identity = identity(pod);
    let pods: Api<Pod> = Api::namespaced(mesh.cluster.client(), DEMO);
    let mut forwarder = pods.portforward(name(pod), &[ADMIN]).await?;
    let stream = forwarder.take_stream(ADMIN).context("the forwarder has no stream")?;
    let server = ServerName::try_from(identity.clone())?;
    connector.connect(server, stream).await.with_context(|| format!("it does not prove to be {identity}"))?;
    Ok(())
}
