use super::*;
use crate::{
    core::token::{AUDIENCE, ServiceAccount},
    generate::Credentials,
    local_tokens::LocalTokens,
    service::{EventSink, IssuerSource, start},
    testing::{FOO, Hands, config, hours, start as beginning},
};
use linkerd_controller::{args::ListenAddr, key_and_csr::KeyAndCsr, listen::Listener, tasks::Tasks};
use rustls::{RootCertStore, client::WebPkiServerVerifier, client::danger::ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use std::{sync::Arc, time::Duration};
use tonic::{Code, Status, transport::Channel};

struct Fixture {
    client: tonic::client::Grpc<Channel>,
    tokens: Arc<LocalTokens>,
    credentials: Credentials,
    tasks: Tasks,
}

/// The service as a sandbox runs it, behind a real connection.
async fn fixture() -> Fixture {
    let (hands, (tasks, _)) = (Hands::new(), Tasks::new());
    let config = config(hands.clock());
    let credentials = Credentials::generate("linkerd", "cluster.local", hands.clock().now()).unwrap();
    let authority = credentials.authority(&config.own_identity(), hands.clock().now()).unwrap();
    let tokens = Arc::new(LocalTokens::generate(hands.clock()).unwrap());
    let issuer = IssuerSource::Fixed(Box::new(authority));
    let service = start(config, tokens.clone(), issuer, EventSink::None, &tasks).unwrap();
    let listener = Listener::bind(ListenAddr::loopback(0)).unwrap();
    let address = listener.local_addr().unwrap();
    let router = methods(service, Methods::new(&tasks)).into_router();
    tasks.spawn_draining("server", listener.serve(router, tasks.shutdown().clone()));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    Fixture { client: tonic::client::Grpc::new(channel), tokens, credentials, tasks }
}

impl Fixture {
    async fn call(&mut self, path: &'static str, request: CertifyRequest) -> Result<CertifyResponse, Status> {
        self.client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<CertifyRequest, CertifyResponse>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        Ok(self.client.unary(tonic::Request::new(request), path, codec).await?.into_inner())
    }

    async fn certify(&mut self, token: String) -> Result<CertifyResponse, Status> {
        let certificate_signing_request = KeyAndCsr::generate(FOO).unwrap().csr;
        let request = CertifyRequest { identity: FOO.to_owned(), token: token.into(), certificate_signing_request };
        self.call(CERTIFY, request).await
    }

    fn token(&self, audiences: &[&str]) -> String {
        let account = ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() };
        self.tokens.sign(&account, audiences, hours(1)).unwrap()
    }
}

const CERTIFY: &str = "/io.linkerd.proxy.identity.Identity/Certify";

// Cases 1, 7 and 39.
#[tokio::test]
async fn a_proxy_gets_a_chain_that_it_accepts() {
    let mut fixture = fixture().await;
    let token = fixture.token(&["foo", AUDIENCE]);
    let response = fixture.certify(token).await.unwrap();
    let leaf = CertificateDer::from(response.leaf_certificate.as_slice());
    let parsed = x509_parser::parse_x509_certificate(&leaf).unwrap().1;
    assert_eq!(response.valid_until.unwrap().seconds, parsed.validity().not_after.timestamp());
    let intermediates: Vec<_> =
        response.intermediate_certificates.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    assert_eq!(intermediates, [CertificateDer::from_pem_slice(fixture.credentials.issuer.as_bytes()).unwrap()]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(fixture.credentials.trust_anchor.as_bytes()).unwrap()).unwrap();
    let provider = linkerd_controller::tls::provider();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(beginning().as_second() as u64));
    let name = ServerName::try_from(FOO).unwrap();
    verifier.verify_server_cert(&leaf, &intermediates, &name, &[], now).unwrap();
    assert!(fixture.tasks.readiness.pending().is_empty());
    let handled = r#"grpc_method="Certify",grpc_code="OK"} 1"#;
    assert!(fixture.tasks.metrics.encode().contains(handled));
}

// Case 43.
#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let mut fixture = fixture().await;
    let status = fixture.certify("garbage".to_owned()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("invalid bearer token"), "{status}");
    let token = fixture.token(&["foo"]);
    assert_eq!(fixture.certify(token).await.unwrap_err().code(), Code::InvalidArgument);
}

// Case 45.
#[tokio::test]
async fn long_requests_and_other_methods_have_their_statuses() {
    let mut fixture = fixture().await;
    let token = "t".repeat(5 * 1024 * 1024);
    assert_eq!(fixture.certify(token).await.unwrap_err().code(), Code::ResourceExhausted);
    for path in ["/io.linkerd.proxy.identity.Identity/Other", "/grpc.health.v1.Health/Check"] {
        let status = fixture.call(path, CertifyRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
}
