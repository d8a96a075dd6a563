//! The smallest admission webhook: HTTPS on loopback, and always the same refusal.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub struct Refusing {
    address: SocketAddr,
    ca: String,
    server: JoinHandle<Result<()>>,
}

impl Refusing {
    pub async fn start(reason: &'static str) -> Result<Self> {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await?);
                    let service = service_fn(move |request| refuse(request, reason));
                    let server = Builder::new(TokioExecutor::new());
                    let served = server.serve_connection(stream, service).await;
                    served.map_err(|error| anyhow::anyhow!("{error}"))
                });
            }
        });
        Ok(Self { address, ca: cert.pem(), server })
    }

    /// Has ConfigMaps of one namespace sent here, so that other tests on the server see nothing.
    pub fn configuration(&self, namespace: &str) -> String {
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": namespace },
            "webhooks": [{
                "name": "refusing.tests.linkerd.io",
                "clientConfig": {
                    "url": format!("https://{}/", self.address),
                    "caBundle": k8s_openapi::ByteString(self.ca.clone().into_bytes()),
                },
                "namespaceSelector": {
                    "matchLabels": { "kubernetes.io/metadata.name": namespace },
                },
                "rules": [{
                    "operations": ["CREATE"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                }],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }],
        });
        configuration.to_string()
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn refuse(request: Request<Incoming>, reason: &str) -> Result<Response<Full<Bytes>>> {
    let review: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"],
            "allowed": false,
            "status": { "message": reason },
        },
    });
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::from(answer.to_string()))?)
}
