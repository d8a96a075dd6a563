//! Certificates through `linkerd-identity`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use linkerd_proto::identity::{CertifyRequest, CertifyResponse, identity_client::IdentityClient};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::{authority, eventually};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::{WebPkiServerVerifier, danger::ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

use crate::setup::{DEADLINE, DOMAIN, Service, channel, cluster};

pub const AUDIENCE: &str = "identity.l5d.io";

/// A root and an issuer, in folders laid out like the mounted Secret and ConfigMap.
pub struct Authority {
    folder: TempDir,
    root: CertificateDer<'static>,
}

impl Authority {
    pub fn make() -> Result<Self> {
        let authority = authority::Authority::make()?;
        let folder = tempfile::tempdir()?;
        authority.write(&folder.path().join("issuer"), &folder.path().join("trust-roots"))?;
        Ok(Self { folder, root: authority.anchor() })
    }

    pub fn service(&self, kubeconfig: &Path) -> Result<Service> {
        let folder = |name: &str| self.folder.path().join(name).display().to_string();
        Ok(Service::new("linkerd-identity", ["-addr", "-admin-addr"], kubeconfig)?.args(&[
            "-controller-namespace=linkerd",
            "-identity-scheme=linkerd.io/tls",
            &format!("-identity-trust-domain={DOMAIN}"),
            &format!("-issuer={}", folder("issuer")),
            &format!("-trust-roots={}", folder("trust-roots")),
        ]))
    }

    /// The trust anchors, in a file.
    pub fn anchors(&self) -> PathBuf {
        self.folder.path().join("trust-roots/ca-bundle.crt")
    }

    /// A folder for more files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A TLS client that trusts the root, as proxies do: TLS 1.3, without ALPN and certificate.
    pub fn client(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// Checks a certificate as a proxy does.
    fn verify(&self, response: &CertifyResponse, name: &str) -> Result<()> {
        is_accepted(response, name, &self.root)
    }
}

/// Whether a proxy that trusts one root alone accepts a certificate: its chain, its time and its name.
pub fn is_accepted(response: &CertifyResponse, name: &str, root: &CertificateDer<'static>) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    let intermediates: Vec<_> =
        response.intermediate_certificates.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let leaf = CertificateDer::from(response.leaf_certificate.as_slice());
    let name = ServerName::try_from(name.to_owned())?;
    verifier.verify_server_cert(&leaf, &intermediates, &name, &[], UnixTime::now())?;
    Ok(())
}

pub fn identity(account: &str, namespace: &str) -> String {
    format!("{account}.{namespace}.serviceaccount.identity.linkerd.{DOMAIN}")
}

/// Asks for a certificate for `name`, with a key of its own.
async fn certify(channel: Channel, name: &str, token: &str) -> Result<CertifyResponse, tonic::Status> {
    let request = || -> Result<Vec<u8>> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params.serialize_request(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?.der().to_vec())
    };
    let certificate_signing_request = request().map_err(|error| tonic::Status::internal(error.to_string()))?;
    let request =
        CertifyRequest { identity: name.to_owned(), token: token.as_bytes().to_vec(), certificate_signing_request };
    Ok(IdentityClient::new(channel).certify(request).await?.into_inner())
}

#[tokio::test]
async fn a_token_of_a_service_account_gets_a_certificate_for_its_identity_and_no_other() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let namespace = cluster.unique_namespace("certificates").await?;
    cluster.service_account(&namespace, "web").await?;
    let authority = Authority::make()?;
    let Service { process, address } = authority.service(server.kubeconfig())?;
    let _process = process.start(DEADLINE).await?;
    let channel = channel(address)?;

    let token = cluster.token(&namespace, "web", &[AUDIENCE]).await?;
    let response = certify(channel.clone(), &identity("web", &namespace), &token).await?;
    authority.verify(&response, &identity("web", &namespace))?;
    ensure!(response.valid_until.is_some_and(|until| until.seconds > 0), "no end: {:?}", response.valid_until);

    let other = certify(channel.clone(), &identity("emoji", &namespace), &token).await;
    assert_eq!(other.err().context("another identity was certified")?.code(), Code::FailedPrecondition);
    let elsewhere = cluster.token(&namespace, "web", &["somebody.else"]).await?;
    let elsewhere = certify(channel.clone(), &identity("web", &namespace), &elsewhere).await;
    assert_eq!(elsewhere.err().context("a token for another audience was taken")?.code(), Code::InvalidArgument);
    let garbage = certify(channel, &identity("web", &namespace), "garbage").await;
    assert_eq!(garbage.err().context("garbage was taken")?.code(), Code::InvalidArgument);
    Ok(())
}

#[tokio::test]
async fn certificates_are_issued_again_once_the_api_server_is_back() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let namespace = cluster.unique_namespace("certificates").await?;
    let authority = Authority::make()?;
    let Service { process, address } = authority.service(server.kubeconfig())?;
    let mut process = process.start(DEADLINE).await?;
    let (channel, name) = (channel(address)?, identity("default", &namespace));
    let token = cluster.token(&namespace, "default", &[AUDIENCE]).await?;
    certify(channel.clone(), &name, &token).await?;

    server.kill();
    // Nobody can say whether the token is good, and the proxy is told so instead of being left waiting.
    let away = tokio::time::timeout(DEADLINE, certify(channel.clone(), &name, "another")).await?;
    assert_eq!(away.err().context("a token was taken unseen")?.code(), Code::Internal);
    process.ensure_running()?;
    server.restart().await?;
    let response = eventually(DEADLINE, || async { Ok(certify(channel.clone(), &name, &token).await?) }).await?;
    authority.verify(&response, &name)?;
    process.ensure_running()
}
