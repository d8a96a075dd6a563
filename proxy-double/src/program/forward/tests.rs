use std::net::Ipv4Addr;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::config::{Config, Identity, Key, Peer as Server, Peers, Token};

/// A double whose control plane is nowhere.
fn double(max_watched: usize) -> Arc<ProxyDouble> {
    let nobody = Server { address: "127.0.0.1:1".to_owned(), server_name: None };
    let peers = Peers { identity: nobody.clone(), destination: nobody.clone(), policy: nobody };
    let anchor = generate_simple_self_signed(["root".to_owned()]).unwrap().cert;
    let identity = Identity {
        local_name: "web.ns.serviceaccount.identity.linkerd.cluster.local".to_owned(),
        token: Token::Bytes(b"token".to_vec()),
        key: Key::Generated,
        trust_anchors: vec![CertificateDer::from(anchor.der().to_vec())],
    };
    let mut config = Config::of_pod("ns", "web", peers, identity);
    config.max_watched = max_watched;
    Arc::new(ProxyDouble::start(config).unwrap())
}

/// Forwards to a destination of the test's choice, as if connections to it were redirected.
struct Pod {
    listens: SocketAddr,
    tcp: TcpMetrics,
    drain: Drain,
    double: Arc<ProxyDouble>,
}

impl Pod {
    async fn start(direction: Direction, destination: SocketAddr, max_watched: usize) -> Self {
        Self::redirecting(direction, max_watched, move |_| Ok(destination)).await
    }

    async fn redirecting(
        direction: Direction,
        max_watched: usize,
        destination: impl Fn(&TcpStream) -> io::Result<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let listens = listener.local_addr().unwrap();
        let (tcp, double) = (TcpMetrics::default(), double(max_watched));
        let own = Own { listeners: vec![listens], ips: vec![Ipv4Addr::LOCALHOST.into()] };
        let keepalive = Keepalive { idle: Some(Duration::from_secs(10)), user_timeout: Some(Duration::from_secs(30)) };
        let connect = Duration::from_secs(5);
        let mut forwarder = Forwarder::new(direction, Arc::clone(&double), tcp.clone(), own, connect, keepalive);
        forwarder.destination = Box::new(destination);
        let drain = Drain::listen(Duration::from_secs(5)).unwrap();
        tokio::spawn(Arc::new(forwarder).accept(listener, drain.clone()));
        Self { listens, tcp, drain, double }
    }

    fn metrics(&self) -> String {
        crate::program::metrics::scrape(&self.double, &self.tcp, 0.0)
    }

    /// Waits for a line of the metrics.
    async fn counts(&self, line: &str) {
        let found = async {
            while !self.metrics().lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        };
        if timeout(Duration::from_secs(10), found).await.is_err() {
            panic!("no {line} in:\n{}", self.metrics());
        }
    }
}

/// Reads everything, and only then answers.
async fn application() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await.unwrap();
            stream.write_all(&[b"got ", request.as_slice()].concat()).await.unwrap();
        }
    });
    address
}

async fn exchange(pod: &Pod) -> io::Result<String> {
    let mut client = TcpStream::connect(pod.listens).await?;
    client.write_all(b"hello").await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn one_half_may_close_before_the_other_answers_and_all_is_counted() {
    let pod = Pod::start(Direction::Inbound, application().await, 10).await;
    assert_eq!(exchange(&pod).await.unwrap(), "got hello");
    for line in [
        r#"tcp_open_total{direction="inbound",peer="src",tls="disabled"} 1"#,
        r#"tcp_open_total{direction="inbound",peer="dst",tls="disabled"} 1"#,
        r#"tcp_read_bytes_total{direction="inbound",peer="src",tls="disabled"} 5"#,
        r#"tcp_write_bytes_total{direction="inbound",peer="src",tls="disabled"} 9"#,
        r#"tcp_read_bytes_total{direction="inbound",peer="dst",tls="disabled"} 9"#,
        r#"tcp_close_total{direction="inbound",peer="src",tls="disabled",errno=""} 1"#,
        r#"tcp_open_connections{direction="inbound",peer="src",tls="disabled"} 0"#,
    ] {
        pod.counts(line).await;
    }
}

#[tokio::test]
async fn what_a_connection_wants_is_watched_as_a_proxy_would() {
    let target = application().await;
    let outbound = Pod::start(Direction::Outbound, target, 10).await;
    exchange(&outbound).await.unwrap();
    outbound.double.reaches(Duration::from_secs(10), |state| state.targets.contains_key(&target.into())).await.unwrap();
    let inbound = Pod::start(Direction::Inbound, target, 10).await;
    exchange(&inbound).await.unwrap();
    inbound.double.reaches(Duration::from_secs(10), |state| state.inbound.contains_key(&target.port())).await.unwrap();
}

#[tokio::test]
async fn a_destination_that_would_be_one_too_many_is_forwarded_to_and_not_watched() {
    let pod = Pod::start(Direction::Outbound, application().await, 0).await;
    assert_eq!(exchange(&pod).await.unwrap(), "got hello");
    assert!(pod.double.state().targets.is_empty());
    pod.counts(r#"proxy_double_unwatched_connections_total{direction="outbound"} 1"#).await;
}

#[tokio::test]
async fn a_connection_that_cannot_be_forwarded_is_reset_and_counted() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let other_pod = SocketAddr::from(([10, 0, 0, 9], 8080));
    for (direction, destination, line) in [
        (Direction::Outbound, nobody, r#"outbound_tcp_errors_total{error="connect"} 1"#),
        (Direction::Inbound, other_pod, r#"inbound_tcp_errors_total{error="other pod"} 1"#),
    ] {
        let pod = Pod::start(direction, destination, 10).await;
        let error = exchange(&pod).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected
            ),
            "{error}"
        );
        pod.counts(line).await;
    }
}

#[tokio::test]
async fn a_connection_to_the_listener_itself_is_refused() {
    let pod = Pod::redirecting(Direction::Outbound, 10, TcpStream::local_addr).await;
    assert!(exchange(&pod).await.is_err());
    pod.counts(r#"outbound_tcp_errors_total{error="loop"} 1"#).await;
}

#[tokio::test]
async fn a_drain_refuses_new_connections_and_lets_those_under_way_end() {
    let pod = Pod::start(Direction::Inbound, application().await, 10).await;
    let mut client = TcpStream::connect(pod.listens).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    pod.counts(r#"tcp_open_connections{direction="inbound",peer="dst",tls="disabled"} 1"#).await;
    pod.drain.stop();
    let drain = pod.drain.clone();
    let finished = tokio::spawn(async move { drain.finish(tokio::task::JoinSet::new()).await });
    let refused = async { while TcpStream::connect(pod.listens).await.is_ok() {} };
    timeout(Duration::from_secs(10), refused).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "got hello");
    timeout(Duration::from_secs(10), finished).await.unwrap().unwrap();
}
