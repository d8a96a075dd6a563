//! The double as a program: its environment, its admin server, and how it stops.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use linkerd_tests::process::{Process, ProcessBuilder};
use linkerd_tests::{eventually, plain_http, port};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::Status;

use crate::answers::{Authority, server};
use crate::fake::{Fake, Reply, Scripts, asked};
use crate::{DEADLINE, NAME, certifies};

/// An environment like that of an injected container, and the files that it names.
struct Container {
    folder: TempDir,
    variables: BTreeMap<&'static str, String>,
    admin: SocketAddr,
    inbound: SocketAddr,
}

impl Container {
    fn new(control_plane: SocketAddr, authority: &Authority) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        identity(folder.path())?;
        let free = || -> Result<SocketAddr> { Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?))) };
        let (admin, inbound, outbound) = (free()?, free()?, free()?);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let variables = BTreeMap::from([
            ("LOG", "warn,linkerd=info".to_owned()),
            ("IDENTITY_SVC_ADDR", control_plane.to_string()),
            ("DESTINATION_SVC_ADDR", control_plane.to_string()),
            ("POLICY_SVC_ADDR", control_plane.to_string()),
            ("IDENTITY_DIR", path("")),
            ("IDENTITY_TOKEN_FILE", path("token")),
            ("IDENTITY_TRUST_ANCHORS", authority.anchors_pem()),
            ("IDENTITY_LOCAL_NAME", NAME.to_owned()),
            ("IDENTITY_MIN_REFRESH", "50ms".to_owned()),
            ("POLICY_WORKLOAD", "{\"ns\":\"ns\", \"pod\":\"web\"}\n".to_owned()),
            ("INBOUND_PORTS", "8080".to_owned()),
            ("ADMIN_LISTEN_ADDR", admin.to_string()),
            ("INBOUND_LISTEN_ADDR", inbound.to_string()),
            ("OUTBOUND_LISTEN_ADDRS", outbound.to_string()),
        ]);
        Ok(Self { folder, variables, admin, inbound })
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    fn spawn(&self) -> Result<Process> {
        let mut builder = ProcessBuilder::new("linkerd2-proxy-double", self.admin);
        for (name, value) in &self.variables {
            builder = builder.env(format!("LINKERD2_PROXY_{name}"), value);
        }
        builder.spawn()
    }

    async fn start(&self) -> Result<Process> {
        let mut process = self.spawn()?;
        process.ready(DEADLINE).await?;
        Ok(process)
    }

    async fn metrics(&self) -> Result<String> {
        Ok(plain_http::get(self.admin, "/metrics").await?.body)
    }

    /// Waits until a metric, with its labels, has a value that `check` wants.
    async fn counts(&self, metric: &str, check: impl Fn(f64) -> bool) -> Result<()> {
        eventually(DEADLINE, || async {
            let text = self.metrics().await?;
            let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok());
            ensure!(value.is_some_and(&check), "{metric} is {value:?} in:\n{text}");
            Ok(())
        })
        .await
    }
}

/// What the program before the proxy writes.
fn identity(folder: &Path) -> Result<()> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let request = CertificateParams::new(vec![NAME.to_owned()])?.serialize_request(&key)?;
    std::fs::write(folder.join("key.p8"), key.serialize_der())?;
    std::fs::write(folder.join("csr.der"), request.der())?;
    Ok(std::fs::write(folder.join("token"), "token\n")?)
}

fn answering(authority: &Arc<Authority>) -> Scripts {
    let port = Box::new(|_: usize, _: &_| Reply::one(server("default")));
    Scripts { certify: certifies(authority), port, ..Scripts::default() }
}

#[tokio::test]
async fn the_environment_alone_gets_it_certified_and_its_ports_watched() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start(answering(&authority)).await?;
    let container = Container::new(fake.address, &authority)?;
    let _process = container.start().await?;
    let asked = asked(&fake, |asked| asked.port.len() == 2).await?;
    let csr = std::fs::read(container.folder.path().join("csr.der"))?;
    assert_eq!((&asked.certify[0].certificate_signing_request, &asked.certify[0].identity), (&csr, &NAME.to_owned()));
    let ports: BTreeSet<_> = asked.port.iter().map(|request| request.port).collect();
    assert_eq!(ports, BTreeSet::from([8080, container.admin.port().into()]));

    container.counts("proxy_double_streams{method=\"InboundServerPolicies/WatchPort\"}", |open| open == 2.0).await?;
    container.counts("control_identity_cert_refreshes_total{result=\"ok\"}", |count| count == 1.0).await?;
    let tomorrow = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() + 86_400.0;
    let expiry = |until: f64| (until - tomorrow).abs() < 60.0;
    container.counts("control_identity_cert_expiration_timestamp_seconds", expiry).await?;
    container.counts("process_start_time_seconds", |start| (start + 86_400.0 - tomorrow).abs() < 60.0).await?;
    assert!(container.metrics().await?.ends_with("# EOF\n"));

    let environment = plain_http::get(container.admin, "/env.json?LINKERD2_PROXY_INBOUND_PORTS&ABSENT").await?;
    assert_eq!(environment.body, "{\"ABSENT\":null,\"LINKERD2_PROXY_INBOUND_PORTS\":\"8080\"}");
    assert_eq!(plain_http::get(container.admin, "/env.json?A=b").await?.status, 400);
    assert_eq!(plain_http::request(container.admin, "POST", "/env.json", "").await?.status, 405);
    assert_eq!(plain_http::get(container.admin, "/else").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn it_is_ready_and_serves_connections_from_the_first_certificate_on() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let (certified, permitted) = (Arc::clone(&authority), Arc::new(AtomicBool::new(false)));
    let is_permitted = Arc::clone(&permitted);
    let certify = Box::new(move |_: usize, request: &_| match is_permitted.load(Ordering::Relaxed) {
        true => certified.certify(request, Duration::from_millis(200)),
        false => Err(Status::unavailable("not yet")),
    });
    let fake = Fake::start(Scripts { certify, ..Scripts::default() }).await?;
    let container = Container::new(fake.address, &authority)?;
    let mut process = container.spawn()?;
    container.counts("control_identity_cert_refreshes_total{result=\"error\"}", |count| count >= 2.0).await?;
    assert_eq!(plain_http::get(container.admin, "/live").await?.status, 200);
    let ready = plain_http::get(container.admin, "/ready").await?;
    assert_eq!((ready.status, ready.body.as_str()), (503, "not ready\n"));
    let mut waiting = TcpStream::connect(container.inbound).await?;
    assert!(!container.metrics().await?.contains("tcp_open_total{"), "nothing is served yet");

    permitted.store(true, Ordering::Relaxed);
    process.ready(DEADLINE).await?;
    // It was not redirected, so it would go round in circles.
    assert!(waiting.read_u8().await.is_err());
    container.counts("inbound_tcp_errors_total{error=\"loop\"}", |count| count == 1.0).await?;
    container.counts("control_identity_cert_refreshes_total{result=\"ok\"}", |count| count >= 3.0).await
}

#[tokio::test]
async fn a_control_plane_that_comes_back_is_connected_to_again() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start(answering(&authority)).await?;
    let container = Container::new(fake.address, &authority)?;
    let _process = container.start().await?;
    let (streams, address) = ("proxy_double_streams{method=\"InboundServerPolicies/WatchPort\"}", fake.address);
    container.counts(streams, |open| open == 2.0).await?;
    drop(fake);
    container.counts(streams, |open| open == 0.0).await?;
    assert_eq!(plain_http::get(container.admin, "/ready").await?.status, 200, "once ready, always ready");
    let _again = Fake::start_at(answering(&authority), address).await?;
    container.counts(streams, |open| open == 2.0).await?;
    container.counts(&format!("proxy_double_reconnects_total{{addr=\"{address}\"}}"), |count| count >= 1.0).await
}

#[tokio::test]
async fn it_stops_with_a_signal_or_a_request_that_is_allowed() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start(answering(&authority)).await?;
    let mut container = Container::new(fake.address, &authority)?;
    let mut process = container.start().await?;
    assert_eq!(plain_http::get(container.admin, "/shutdown").await?.status, 405);
    assert_eq!(plain_http::request(container.admin, "POST", "/shutdown", "").await?.status, 404);
    assert!(process.terminate(DEADLINE).await?.success());

    container.set("SHUTDOWN_ENDPOINT_ENABLED", "true");
    let mut process = container.start().await?;
    let answer = plain_http::request(container.admin, "POST", "/shutdown", "").await?;
    assert_eq!((answer.status, answer.body.as_str()), (200, "shutdown\n"));
    assert!(process.wait(DEADLINE).await?.success());
    assert!(TcpStream::connect(container.admin).await.is_err());
    Ok(())
}

#[tokio::test]
async fn an_environment_or_a_port_that_cannot_be_used_is_told_at_once() -> Result<()> {
    let authority = Arc::new(Authority::make()?);
    let fake = Fake::start(answering(&authority)).await?;
    let mut container = Container::new(fake.address, &authority)?;
    let _process = container.start().await?;
    let mut second = container.spawn()?;
    assert_eq!(second.wait(DEADLINE).await?.code(), Some(1));
    let log = second.log();
    let last = log.lines().last().context("it says nothing")?;
    assert!(last.starts_with(&format!("Initialization failure: cannot listen on {}", container.admin)), "{last}");

    container.set("INBOUND_PORTS", "http");
    container.set("SHUTDOWN_GRACE_PERIOD", "soon");
    let mut bad = container.spawn()?;
    assert_eq!(bad.wait(DEADLINE).await?.code(), Some(64));
    let log = bad.log();
    let last = log.lines().last().context("it says nothing")?;
    assert!(last.starts_with("Invalid configuration: "), "{last}");
    for variable in ["LINKERD2_PROXY_INBOUND_PORTS", "LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD"] {
        assert!(last.contains(variable), "{last}");
    }
    Ok(())
}
