//! A control plane's objects in a namespace of their own, and servers behind its pods.

use crate::{Ran, linkerd, node::Node};
use anyhow::{Context as _, Result};
use linkerd_tests::{apiserver::ApiServer, authority::Authority, cluster::Cluster};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The trust domain of the mesh.
const TRUST_DOMAIN: &str = "mesh.example";

pub struct Installation {
    pub server: &'static ApiServer,
    pub cluster: Cluster,
    pub namespace: String,
    pub node: Node,
    authority: Authority,
}

impl Installation {
    /// A namespace with a node for its pods, and nothing of a control plane yet.
    pub async fn empty() -> Result<Self> {
        let server = ApiServer::shared().await?;
        let cluster = server.cluster().await?;
        let namespace = cluster.unique_namespace("l5d").await?;
        let node = Node::join(&cluster, &namespace).await?;
        Ok(Self { server, cluster, namespace, node, authority: Authority::make()? })
    }

    /// The configuration and the trust anchors of a control plane.
    pub async fn configured(values: &str) -> Result<Self> {
        let this = Self::empty().await?;
        let config = format!("identityTrustDomain: {TRUST_DOMAIN}\n{values}");
        for (name, key, text) in [
            ("linkerd-config", "values", config),
            ("linkerd-identity-trust-roots", "ca-bundle.crt", this.authority.root.pem()),
        ] {
            let map =
                json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { key: text } });
            this.cluster.apply_object(&this.namespace, map).await?;
        }
        Ok(this)
    }

    /// Runs the program on this control plane.
    pub async fn linkerd(&self, arguments: &[&str]) -> Ran {
        self.linkerd_with_input(arguments, "").await
    }

    pub async fn linkerd_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let arguments = [&["-L", &self.namespace][..], arguments].concat();
        linkerd(self.server.kubeconfig(), &arguments, input).await
    }

    /// Makes an object in the namespace, and returns its UID.
    pub async fn apply(&self, object: Value) -> Result<String> {
        self.cluster.apply_object(&self.namespace, object).await?.metadata.uid.context("no UID")
    }

    /// A pod of a Deployment, in the given phase, with containers. Returns its name.
    pub async fn pod(&self, deployment: &str, phase: &str, containers: Value) -> Result<String> {
        self.cluster.service_account(&self.namespace, deployment).await?;
        let owner = |kind: &str, name: &str, uid: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid }]);
        let name = format!("{deployment}-{}", phase.to_lowercase());
        let template = json!({
            "metadata": { "labels": { "app": deployment } }, "spec": { "containers": [{ "name": "a", "image": "a" }] },
        });
        let set = self.apply(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": { "name": deployment, "ownerReferences": owner("Deployment", deployment, "none") },
            "spec": { "selector": { "matchLabels": { "app": deployment } }, "template": template },
        }));
        let set = set.await?;
        self.apply(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "ownerReferences": owner("ReplicaSet", deployment, &set) },
            "spec": { "nodeName": self.node.name, "serviceAccountName": deployment, "containers": containers },
            "status": { "phase": phase },
        }))
        .await?;
        Ok(name)
    }

    /// Puts TLS in front of a server, with a certificate of the mesh for a service account of this namespace.
    pub async fn secured(&self, server: SocketAddr, account: &str) -> Result<SocketAddr> {
        let namespace = &self.namespace;
        let identity = format!("{account}.{namespace}.serviceaccount.identity.{namespace}.{TRUST_DOMAIN}");
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([identity])?.signed_by(&key, &self.authority.issuer)?;
        let chain = vec![certificate.der().clone(), self.authority.issuer.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate is what a test may be about.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut server = TcpStream::connect(server).await.expect("a server of the test");
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        });
        Ok(address)
    }
}

/// A container without anything of interest.
pub fn container(name: &str) -> Value {
    json!({ "name": name, "image": "image:v1" })
}

/// A container with a named port.
pub fn container_with_port(name: &str, port_name: &str, port: u16) -> Value {
    let mut container = container(name);
    container["ports"] = json!([{ "name": port_name, "containerPort": port }]);
    container
}
