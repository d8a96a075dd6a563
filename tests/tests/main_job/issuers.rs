//! The issuer of `linkerd-identity` while it runs: replaced, broken, and moved to another root.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use linkerd_proto::identity::{CertifyRequest, CertifyResponse, identity_client::IdentityClient};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::authority::{self, Authority};
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::Process;
use linkerd_tests::{eventually, helm};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;
use tempfile::TempDir;
use tonic::Code;

use crate::certificates::{AUDIENCE, is_accepted};
use crate::setup::{DEADLINE, DOMAIN, Service, channel, cluster};

type Made = CertifiedIssuer<'static, KeyPair>;

/// An identity service with the rights that the chart gives it, in a namespace of its own.
struct Identity {
    cluster: Cluster,
    namespace: String,
    process: Process,
    address: std::net::SocketAddr,
    _files: TempDir,
}

impl Identity {
    async fn start(server: &ApiServer, cluster: Cluster, authority: &Authority) -> Result<Self> {
        let namespace = cluster.unique_namespace("issuers").await?;
        let rights = ["--namespace", &namespace, "--show-only", "templates/identity-rbac.yaml"];
        let values = ["--set", "identityTrustAnchorsPEM=a,identity.issuer.tls.crtPEM=b,identity.issuer.tls.keyPEM=c"];
        let rights = helm::template("linkerd-control-plane", &[&rights[..], &values[..]].concat())?;
        cluster.apply(&namespace, &rights).await?;
        let files = tempfile::tempdir()?;
        authority.write(&files.path().join("issuer"), &files.path().join("trust-roots"))?;
        let token = cluster.token(&namespace, "linkerd-identity", &[]).await?;
        let kubeconfig = server.kubeconfig_for(&format!("identity-{namespace}"), &token)?;
        let folder = |name: &str| files.path().join(name).display().to_string();
        let service = Service::new("linkerd-identity", ["-addr", "-admin-addr"], &kubeconfig)?.args(&[
            &format!("-controller-namespace={namespace}"),
            "-identity-scheme=linkerd.io/tls",
            &format!("-identity-trust-domain={DOMAIN}"),
            &format!("-issuer={}", folder("issuer")),
            &format!("-trust-roots={}", folder("trust-roots")),
            "-issuer-secret=linkerd-identity-issuer",
            "-trust-roots-config-map=linkerd-identity-trust-roots",
        ]);
        let process = service.process.start(DEADLINE).await?;
        Ok(Self { cluster, namespace, process, address: service.address, _files: files })
    }

    async fn put_issuer(&self, certificates: &str, key: &KeyPair) -> Result<()> {
        let encoded = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = json!({"crt.pem": encoded(certificates), "key.pem": encoded(&key.serialize_pem())});
        self.put("Secret", "linkerd-identity-issuer", data).await
    }

    async fn put_trust_anchors(&self, bundle: &str) -> Result<()> {
        self.put("ConfigMap", "linkerd-identity-trust-roots", json!({ "ca-bundle.crt": bundle })).await
    }

    async fn put(&self, kind: &str, name: &str, data: serde_json::Value) -> Result<()> {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data});
        self.cluster.apply(&self.namespace, &object.to_string()).await.map(drop)
    }

    fn name(&self) -> String {
        format!("default.{0}.serviceaccount.identity.{0}.{DOMAIN}", self.namespace)
    }

    async fn certify(&self) -> Result<CertifyResponse> {
        let token = self.cluster.token(&self.namespace, "default", &[AUDIENCE]).await?;
        Ok(self.certify_with(token.into_bytes()).await?)
    }

    async fn certify_with(&self, token: Vec<u8>) -> Result<CertifyResponse, tonic::Status> {
        let request = || -> Result<Vec<u8>> {
            let mut params = CertificateParams::new(vec![self.name()])?;
            params.distinguished_name.push(DnType::CommonName, self.name());
            Ok(params.serialize_request(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)?.der().to_vec())
        };
        let certificate_signing_request = request().map_err(|error| tonic::Status::internal(error.to_string()))?;
        let request = CertifyRequest { identity: self.name(), token, certificate_signing_request };
        let channel = channel(self.address).map_err(|error| tonic::Status::internal(error.to_string()))?;
        Ok(IdentityClient::new(channel).certify(request).await?.into_inner())
    }

    /// Waits until certificates come from an issuer.
    async fn is_issued_by(&self, issuer: &Made) -> Result<CertifyResponse> {
        eventually(DEADLINE, || async {
            let response = self.certify().await?;
            let by_it = response.intermediate_certificates.first().is_some_and(|der| der[..] == **issuer.der());
            ensure!(by_it, "another issuer signs");
            Ok(response)
        })
        .await
    }

    /// Waits for an event on the Deployment.
    async fn tells(&self, reason: &str) -> Result<String> {
        let events: Api<Event> = Api::namespaced(self.cluster.client(), &self.namespace);
        eventually(DEADLINE, || async {
            let events = events.list(&ListParams::default()).await?.items;
            let found = events.iter().find(|event| event.reason.as_deref() == Some(reason));
            let found = found.with_context(|| format!("no {reason} among {} events", events.len()))?;
            ensure!(found.involved_object.name.as_deref() == Some("linkerd-identity"), "{:?}", found.involved_object);
            Ok(found.message.clone().unwrap_or_default())
        })
        .await
    }
}

/// An authority of a name, with a key of its own.
fn ca(name: &str, parent: &Made) -> Result<Made> {
    Ok(CertifiedIssuer::signed_by(authority::params(name)?, KeyPair::generate()?, parent)?)
}

// Cases 27 and 28, by the Secret itself.
#[tokio::test]
async fn an_issuer_in_the_secret_is_in_force_at_once_and_a_bad_one_is_refused() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let authority = Authority::make()?;
    let mut identity = Identity::start(server, cluster, &authority).await?;
    identity.is_issued_by(&authority.issuer).await?;

    let second = ca("second issuer", &authority.root)?;
    identity.put_issuer(&second.pem(), second.key()).await?;
    let response = identity.is_issued_by(&second).await?;
    is_accepted(&response, &identity.name(), &authority.anchor())?;
    assert_eq!(identity.tells("IssuerUpdated").await?, "Updated identity issuer");

    let third = ca("third issuer", &authority.root)?;
    identity.put_issuer(&third.pem(), second.key()).await?;
    let told = identity.tells("IssuerUpdateSkipped").await?;
    assert!(told.ends_with("Public and private key do not match"), "{told}");
    identity.is_issued_by(&second).await?;
    identity.process.ready(DEADLINE).await
}

// A trust anchor that is replaced while proxies with the old one and with the new one run.
#[tokio::test]
async fn a_cross_signed_root_is_sent_so_that_proxies_of_both_generations_accept_the_certificate() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let authority = Authority::make()?;
    let identity = Identity::start(server, cluster, &authority).await?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem();
    let key = || KeyPair::from_pem(&key);
    let new_root = CertifiedIssuer::self_signed(authority::params("new root")?, key()?)?;
    let cross_signed = CertifiedIssuer::signed_by(authority::params("new root")?, key()?, &authority.root)?;
    let issuer = ca("issuer below the new root", &new_root)?;

    identity.put_trust_anchors(&(authority.root.pem() + &new_root.pem())).await?;
    identity.put_issuer(&(issuer.pem() + &cross_signed.pem()), issuer.key()).await?;
    let response = identity.is_issued_by(&issuer).await?;
    assert_eq!(response.intermediate_certificates[1][..], **cross_signed.der());
    is_accepted(&response, &identity.name(), &authority.anchor()).context("with the old root")?;
    is_accepted(&response, &identity.name(), new_root.der()).context("with the new root")?;
    Ok(())
}

// The proxy waits for ever, so it is answered whatever the API server does.
#[tokio::test]
async fn a_proxy_is_told_in_time_that_the_api_server_does_not_answer() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    let authority = Authority::make()?;
    let identity = Identity::start(&server, cluster, &authority).await?;
    identity.certify().await?;
    server.pause()?;
    let began = Instant::now();
    let answers = (0..100).map(|number| identity.certify_with(format!("token {number}").into_bytes()));
    let answers = futures::future::join_all(answers).await;
    let took = began.elapsed();
    server.resume()?;
    assert!(took < Duration::from_secs(50), "{took:?}");
    for answer in answers {
        let status = answer.err().context("a token was taken unseen")?;
        assert!([Code::Internal, Code::Unavailable].contains(&status.code()), "{status:?}");
    }
    eventually(DEADLINE, || identity.certify()).await.map(drop)
}

// Cases 31 and 32.
#[tokio::test]
async fn a_start_that_cannot_work_ends_the_process_and_says_why() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let (authority, files) = (Authority::make()?, tempfile::tempdir()?);
    let folder = |name: &str| files.path().join(name).display().to_string();
    authority.write(&files.path().join("issuer"), &files.path().join("roots"))?;
    Authority::make()?.write(&files.path().join("other"), &files.path().join("other-roots"))?;
    std::fs::create_dir(files.path().join("empty"))?;
    std::fs::write(files.path().join("empty/ca-bundle.crt"), "")?;
    // A service account without any right.
    let namespace = cluster.unique_namespace("issuers").await?;
    let token = cluster.token(&namespace, "default", &[]).await?;
    let powerless = server.kubeconfig_for(&format!("powerless-{namespace}"), &token)?;

    let scheme = "-identity-scheme=linkerd.io/tls";
    for (kubeconfig, scheme, issuer, roots, code, reason) in [
        (server.kubeconfig(), scheme, "issuer", "missing", 1, "ca-bundle.crt: entity not found"),
        (server.kubeconfig(), scheme, "issuer", "empty", 1, "No certificates found"),
        (server.kubeconfig(), scheme, "issuer", "other-roots", 1, "do not verify against the trust anchors"),
        (server.kubeconfig(), scheme, "missing", "roots", 1, "crt.pem: entity not found"),
        (&powerless, scheme, "issuer", "roots", 1, "Unable to create kubernetes token reviews: "),
        (server.kubeconfig(), "-identity-scheme=", "issuer", "roots", 0, "identity disabled"),
    ] {
        let service = Service::new("linkerd-identity", ["-addr", "-admin-addr"], kubeconfig)?.args(&[
            "-controller-namespace=linkerd",
            scheme,
            &format!("-identity-trust-domain={DOMAIN}"),
            &format!("-issuer={}", folder(issuer)),
            &format!("-trust-roots={}", folder(roots)),
        ]);
        let mut process = service.process.spawn()?;
        let status = process.wait(DEADLINE).await?;
        assert_eq!(status.code(), Some(code), "{reason}");
        assert!(process.log().contains(reason), "no {reason:?} in {}", process.log());
    }
    Ok(())
}
