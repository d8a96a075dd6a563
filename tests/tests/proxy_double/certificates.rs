//! Start-up and certificates.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use linkerd2_proxy_double::config::{Peer, Token};
use linkerd2_proxy_double::state::Rpc;
use linkerd2_proxy_double::{Connections, ProxyDouble};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status};

use crate::answers::{Authority, server};
use crate::fake::{Fake, Reply, Scripts, asked};
use crate::{DEADLINE, NAME, certifies, config};

#[tokio::test]
async fn a_start_asks_for_a_certificate_and_all_ports_and_for_no_destination() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let port = Box::new(|_: usize, _: &_| Reply::one(server("default")));
    let fake = Fake::start(Scripts { certify: certifies(&authority), port, ..Scripts::default() }).await?;
    let mut config = config(&fake, &authority);
    config.inbound_ports = vec![8080, 9090, 8080];
    let double = ProxyDouble::start(config)?;

    double.reaches(DEADLINE, |state| state.is_ready()).await?;
    let asked = asked(&fake, |asked| asked.port.len() == 3).await?;
    let mut ports: Vec<_> = asked.port.iter().map(|request| request.port).collect();
    ports.sort_unstable();
    assert_eq!(ports, [4191, 8080, 9090]);
    assert!(asked.port.iter().all(|request| request.workload == "{\"ns\":\"ns\", \"pod\":\"web\"}\n"));
    let certify = &asked.certify[0];
    assert_eq!((certify.identity.as_str(), certify.token.as_slice()), (NAME, b"token\n".as_slice()));
    assert_eq!((asked.policy.len(), asked.profile.len(), asked.get.len()), (0, 0, 0));
    for (method, authority, headers) in &asked.wire {
        assert_eq!(authority, &fake.address.to_string(), "{method}");
        assert!(headers.iter().all(|name| ["te", "content-type"].contains(&name.as_str())), "{method}: {headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn readiness_needs_a_certificate_and_nothing_else() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start(Scripts { certify: certifies(&authority), ..Scripts::default() }).await?;
    let mut config = config(&fake, &authority);
    // Nobody listens there.
    let nobody = Peer { address: "127.0.0.1:1".to_owned(), server_name: None };
    (config.destination, config.policy) = (nobody.clone(), nobody);
    let double = ProxyDouble::start(config)?;
    double.reaches(DEADLINE, |state| state.is_ready()).await?;
    assert_eq!(double.state().counter(Rpc::WatchPort).messages, 0);
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_not_acceptable_is_asked_for_again() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let (own, foreign) = (Arc::clone(&authority), Authority::make()?);
    let certify = Box::new(move |nth: usize, request: &_| match nth {
        1 => own.certify_as(request, "other.ns.serviceaccount.identity.linkerd.cluster.local", tomorrow()),
        2 => foreign.certify_as(request, NAME, tomorrow()),
        3 => own.certify_as(request, NAME, SystemTime::now() - Duration::from_secs(1)),
        4 => Err(Status::permission_denied("no")),
        _ => own.certify_as(request, NAME, tomorrow()),
    });
    let fake = Fake::start(Scripts { certify, ..Scripts::default() }).await?;
    let double = ProxyDouble::start(config(&fake, &authority))?;
    double.reaches(DEADLINE, |state| state.is_ready()).await?;
    asked(&fake, |asked| asked.certify.len() == 5).await?;

    let counter = double.until(DEADLINE, |state| {
        let counter = state.counter(Rpc::Certify);
        ensure!(counter.messages == 1, "{counter:?}");
        Ok(counter)
    });
    let errors = counter.await?.errors;
    assert_eq!((errors[&Code::Internal], errors[&Code::PermissionDenied]), (3, 1));
    let problems = double.state().problems;
    for (problem, reason) in problems.iter().zip(["the leaf names", "does not lead to a trust anchor", "valid_until"]) {
        assert!(problem.contains(reason), "{problem}");
    }
    Ok(())
}

fn tomorrow() -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 3600)
}

#[tokio::test]
async fn a_renewal_has_the_same_key_and_the_token_of_now() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let own = Arc::clone(&authority);
    let certify = Box::new(move |_: usize, request: &_| own.certify(request, Duration::from_millis(200)));
    let fake = Fake::start(Scripts { certify, ..Scripts::default() }).await?;
    let folder = tempfile::tempdir()?;
    let token = folder.path().join("token");
    std::fs::write(&token, "first")?;
    let mut config = config(&fake, &authority);
    config.token = Token::File(token.clone());
    let double = ProxyDouble::start(config)?;

    asked(&fake, |asked| asked.certify.len() >= 2).await?;
    std::fs::write(&token, "second")?;
    let asked = asked(&fake, |asked| asked.certify.iter().any(|request| request.token == b"second")).await?;
    assert_eq!(asked.certify[0].token, b"first");
    let csr = &asked.certify[0].certificate_signing_request;
    assert!(asked.certify.iter().all(|request| &request.certificate_signing_request == csr));
    let renewed = |state: &linkerd2_proxy_double::state::State| {
        let messages = state.counter(Rpc::Certify).messages;
        messages >= 3
    };
    double.reaches(DEADLINE, renewed).await
}

const SERVER: &str = "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local";

fn acceptor(authority: &Authority) -> Result<TlsAcceptor> {
    let (chain, key) = authority.server(SERVER)?;
    let mut roots = rustls::RootCertStore::empty();
    for anchor in authority.anchors() {
        roots.add(anchor)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients.allow_unauthenticated().build()?)
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn only_connections_after_the_first_certificate_present_one() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let own = Arc::clone(&authority);
    let certify = Box::new(move |_: usize, request: &_| own.certify(request, Duration::from_millis(200)));
    let fake = Fake::start_tls(Scripts { certify, ..Scripts::default() }, acceptor(&authority)?).await?;
    let plain = Fake::start(Scripts::default()).await?;
    let mut config = config(&plain, &authority);
    config.identity = Peer::tls(fake.address.to_string(), SERVER);
    let _double = ProxyDouble::start(config)?;
    // Each renewal has a connection of its own.
    let asked = asked(&fake, |asked| asked.certificates.len() >= 3).await?;
    assert_eq!(asked.certificates[..3], [false, true, true]);
    Ok(())
}

#[tokio::test]
async fn a_server_with_another_name_is_not_talked_to() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start_tls(Scripts::default(), acceptor(&authority)?).await?;
    let mut config = config(&fake, &authority);
    config.identity =
        Peer::tls(fake.address.to_string(), "other.linkerd.serviceaccount.identity.linkerd.cluster.local");
    config.timing.unreachable = Duration::from_millis(300);
    let double = ProxyDouble::start(config)?;
    let refused = |state: &linkerd2_proxy_double::state::State| {
        let counter = state.counter(Rpc::Certify);
        counter.errors.contains_key(&Code::Unavailable)
    };
    double.reaches(DEADLINE, refused).await?;
    assert_eq!(fake.asked().certify.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_thousand_doubles_may_share_their_connections() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let port = Box::new(|_: usize, _: &_| Reply::one(server("default")));
    let fake = Fake::start(Scripts { port, ..Scripts::default() }).await?;
    let mut config = config(&fake, &authority);
    // One connection for each request for a certificate would be another test.
    config.identity = Peer { address: "127.0.0.1:1".to_owned(), server_name: None };
    config.timing.min_backoff = Duration::from_secs(10);
    // A connection carries as many streams as its server allows.
    let groups: Vec<_> = (0..10).map(|_| Connections::shared(&config)).collect::<Result<_>>()?;
    let start = |i: usize| ProxyDouble::start_shared(config.clone(), &groups[i % groups.len()]);
    let doubles: Vec<_> = (0..1000).map(start).collect::<Result<_>>()?;
    for double in &doubles {
        double.reaches(DEADLINE, |state| state.has_policy(4191)).await?;
    }
    for group in &groups {
        assert_eq!(group.opened(), (1, 1));
    }
    Ok(())
}
