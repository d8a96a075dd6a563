//! The server, over loopback.

use crate::{
    core::config::Config,
    fixtures::{PodExt, ServiceExt, SliceExt, bare, pod, service, slice},
    grpc::{Server, methods},
    index::{EndpointsRequest, Index, snapshot::Snapshot, tests::sync},
    metrics,
};
use linkerd_controller::{
    args::ListenAddr,
    grpc::Methods,
    listen::Listener,
    source::{Shared, Sink},
    tasks::{Supervisor, Tasks},
};
use linkerd_k8s::EndpointSlice;
use linkerd_proto::destination::{
    GetDestination, Update, destination_client::DestinationClient, update::Update as Kind,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::Duration,
};
use tonic::{Code, Status, transport::Channel};

/// Longest time that a test waits for a message.
const DEADLINE: Duration = Duration::from_secs(20);

/// Bytes that the server may send on a stream before they are read: those of HTTP/2's default.
const WINDOW: u32 = 65_535;

struct Served {
    index: Shared<Index>,
    tasks: Tasks,
    client: DestinationClient<Channel>,
    _supervisor: Supervisor,
}

fn unsynced() -> Shared<Index> {
    let config = Config { cluster_domain: "mycluster.local".to_owned(), ..Config::default() };
    Arc::new(Mutex::new(Index::new(Arc::new(config))))
}

async fn serve(index: Shared<Index>) -> Served {
    let (tasks, supervisor) = Tasks::new();
    let listener = Listener::bind(ListenAddr::loopback(0)).unwrap();
    let address = listener.local_addr().unwrap();
    metrics::register(&index, &tasks);
    let router = methods(&index, Methods::new(&tasks)).into_router();
    tasks.spawn_draining("server", listener.serve(router, tasks.shutdown().clone()));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().initial_stream_window_size(WINDOW);
    let channel = channel.connect().await.unwrap();
    Served { index, tasks, client: DestinationClient::new(channel), _supervisor: supervisor }
}

async fn synced() -> Served {
    let index = unsynced();
    sync(&mut index.lock());
    serve(index).await
}

fn request(path: &str) -> GetDestination {
    GetDestination { scheme: String::new(), path: path.to_owned(), context_token: "{\"ns\":\"ns\"}\n".to_owned() }
}

impl Served {
    async fn get(&mut self, path: &str) -> Result<tonic::Streaming<Update>, Status> {
        tokio::time::timeout(DEADLINE, self.client.get(request(path))).await.unwrap().map(tonic::Response::into_inner)
    }

    async fn get_error(&mut self, path: &str) -> (Code, String) {
        let status = self.get(path).await.unwrap_err();
        (status.code(), status.message().to_owned())
    }

    async fn profile_error(&mut self, path: &str) -> (Code, String) {
        let status = self.client.get_profile(request(path)).await.unwrap_err();
        (status.code(), status.message().to_owned())
    }
}

async fn next(stream: &mut tonic::Streaming<Update>) -> Kind {
    tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().unwrap().update.unwrap()
}

fn with_bare(numbers: impl IntoIterator<Item = u32>) -> EndpointSlice {
    let ips = numbers.into_iter().map(|number| IpAddr::from((0x0a00_0000 + number).to_be_bytes()).to_string());
    ips.fold(slice("web", "s").port("", 80), |slice, ip| slice.endpoint(bare(&ip)))
}

// Cases 1, 2, 3 and 4.
#[tokio::test]
async fn get_refuses_what_it_cannot_answer() {
    let mut served = synced().await;
    served.index.lock().apply(service("alias").external_name());
    let invalid = |path: &str| (Code::InvalidArgument, format!("Invalid authority: {path}"));
    for path in [
        "linkerd.io",
        "name1.ns.svc.cluster.local:80",
        "name1.ns.svc.mycluster.local.",
        "::1:80",
        "svc.ns.svc.mycluster.local:http",
        "svc.ns.svc.mycluster.local:0",
        "svc.ns.svc.mycluster.local:65536",
        "alias.ns.svc.mycluster.local:80",
    ] {
        assert_eq!(served.get_error(path).await, invalid(path));
    }
    for (path, host) in [("10.0.0.1:80", "10.0.0.1"), ("[::1]:80", "::1"), ("[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1")]
    {
        let message = format!("IP queries not supported by Get API: host={host}");
        assert_eq!(served.get_error(path).await, (Code::InvalidArgument, message));
    }
    let absent = served.get_error("x.ns.svc.mycluster.local:80").await;
    assert_eq!(absent, (Code::NotFound, "Service x.ns not found".to_owned()));
}

// Case 57 is among the tests of the index.
#[tokio::test]
async fn get_profile_refuses_what_it_cannot_answer() {
    let mut served = synced().await;
    served.index.lock().apply(service("alias").external_name().port("", 80));
    served.index.lock().apply(service("web").port("", 80));
    for (path, code, message) in [
        (
            "web:http",
            Code::InvalidArgument,
            r#"invalid authority: "web:http": "the port must be a number from 1 to 65535""#,
        ),
        ("web", Code::InvalidArgument, r#"invalid service "web": "not a name under svc.mycluster.local""#),
        ("x.ns.svc.mycluster.local:80", Code::NotFound, "Service x.ns not found"),
        (
            "alias.ns.svc.mycluster.local:80",
            Code::InvalidArgument,
            "Invalid authority: alias.ns.svc.mycluster.local:80",
        ),
        (
            "h.web.ns.svc.mycluster.local:80",
            Code::NotFound,
            "no pod found in EndpointSlices of Service ns/web for hostname h",
        ),
    ] {
        assert_eq!(served.profile_error(path).await, (code, message.to_owned()));
    }
}

#[tokio::test]
async fn a_request_waits_for_the_initial_state() {
    let index = unsynced();
    let mut served = serve(index.clone()).await;
    index.lock().apply(service("web").port("", 80));
    let mut client = served.client.clone();
    let early = tokio::spawn(async move { client.get(request("web.ns.svc.mycluster.local:80")).await });
    index.lock().apply(with_bare([1]));
    tokio::task::yield_now().await;
    sync(&mut index.lock());
    let mut stream = tokio::time::timeout(DEADLINE, early).await.unwrap().unwrap().unwrap().into_inner();
    assert!(matches!(next(&mut stream).await, Kind::Add(set) if set.addrs.len() == 1));
    assert!(served.get("web.ns.svc.mycluster.local:80").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_the_initial_state_a_request_fails_before_the_proxy_gives_up() {
    let index = unsynced();
    let server = Server::new(&index);
    let began = tokio::time::Instant::now();
    let status = server.clone().get(request("web.ns.svc.mycluster.local:80")).await.err().unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(3));
    let status = server.get_profile(request("10.0.0.1:80")).await.err().unwrap();
    assert_eq!(status.code(), Code::Unavailable);
}

// Cases 5, 50 and 51.
#[tokio::test]
async fn a_stream_follows_its_service() {
    let mut served = synced().await;
    let web_0 = pod("web-0").ip("172.17.0.12");
    served.index.lock().apply(service("web").port("", 8989));
    let mut stream = served.get("web.ns.svc.mycluster.local:8989").await.unwrap();
    assert!(matches!(next(&mut stream).await, Kind::NoEndpoints(none) if none.exists));
    served.index.lock().apply(slice("web", "s").port("", 8989).pods([&web_0]));
    served.index.lock().apply(web_0);
    assert!(matches!(next(&mut stream).await, Kind::Add(set) if set.addrs.len() == 1));
    Sink::<linkerd_k8s::Service>::delete(&mut *served.index.lock(), &linkerd_k8s::ObjectId::new("ns", "web"));
    assert!(matches!(next(&mut stream).await, Kind::Remove(set) if set.addrs.len() == 1));
    assert!(matches!(next(&mut stream).await, Kind::NoEndpoints(none) if !none.exists));
}

// Case 64.
#[tokio::test]
async fn a_profile_follows_its_address() {
    let mut served = synced().await;
    let mut stream = served.client.get_profile(request("172.17.0.12:80")).await.unwrap().into_inner();
    let bare = stream.message().await.unwrap().unwrap();
    assert!(bare.endpoint.unwrap().tls_identity.is_none());
    served.index.lock().apply(pod("web-0").ip("172.17.0.12").meshed());
    let meshed = tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().unwrap();
    assert!(meshed.endpoint.unwrap().tls_identity.is_some());
}

// Case 53.
#[tokio::test]
async fn streams_end_with_ok_when_the_process_stops() {
    let mut served = synced().await;
    served.index.lock().apply(service("web").port("", 80));
    let mut stream = served.get("web.ns.svc.mycluster.local:80").await.unwrap();
    next(&mut stream).await;
    served.tasks.shutdown().cancel();
    assert!(tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().is_none());
    tokio::time::timeout(DEADLINE, served.tasks.drain()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_is_forgotten() {
    let mut served = synced().await;
    served.index.lock().apply(service("web").port("", 80));
    let mut stream = served.get("web.ns.svc.mycluster.local:80").await.unwrap();
    next(&mut stream).await;
    assert_eq!(served.index.lock().endpoints().counts().len(), 1);
    drop(stream);
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !served.index.lock().endpoints().counts().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the stream is still watched");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Case 52: a client that does not read costs one version, and then gets exactly what is.
#[tokio::test]
async fn a_frozen_client_holds_back_nothing_and_ends_up_right() {
    const ENDPOINTS: u32 = 2000;
    let mut served = synced().await;
    served.index.lock().apply(service("web").port("", 80));
    served.index.lock().apply(with_bare(0..ENDPOINTS));
    let mut frozen = served.get("web.ns.svc.mycluster.local:80").await.unwrap();
    let mut reader = served.get("web.ns.svc.mycluster.local:80").await.unwrap();
    let (mut by_reader, mut by_frozen) = (Replayed::default(), Replayed::default());
    by_reader.apply(next(&mut reader).await);

    let probe = EndpointsRequest { namespace: "ns", name: "web", hostname: None, port: 80, node: "" };
    let (snapshots, _lease) = served.index.lock().watch_endpoints(probe).unwrap();
    let mut versions: Vec<Weak<Snapshot>> = Vec::new();
    for round in 1..=200 {
        let range = round * 10..round * 10 + ENDPOINTS;
        served.index.lock().apply(with_bare(range.clone()));
        versions.push(Arc::downgrade(&snapshots.borrow()));
        // The other stream is not delayed.
        let expected = range.map(address).collect();
        while by_reader.0 != expected {
            by_reader.apply(next(&mut reader).await);
        }
    }
    let kept = versions.iter().filter(|version| version.strong_count() > 0).count();
    assert!(kept <= 3, "{kept} versions are kept for a client that does not read");

    let mut messages = 0;
    while by_frozen.0 != by_reader.0 {
        by_frozen.apply(next(&mut frozen).await);
        messages += 1;
    }
    assert!(messages < 20, "{messages} messages for a client that did not read");
    let nothing = tokio::time::timeout(Duration::from_millis(50), frozen.message()).await;
    assert!(nothing.is_err(), "a message after the last: {nothing:?}");
}

fn address(number: u32) -> SocketAddr {
    SocketAddr::new((0x0a00_0000 + number).to_be_bytes().into(), 80)
}

/// Addresses that messages amount to.
#[derive(Default)]
struct Replayed(BTreeSet<SocketAddr>);

impl Replayed {
    fn apply(&mut self, message: Kind) {
        let address = |address: linkerd_proto::net::TcpAddress| {
            SocketAddr::new(address.ip.unwrap().try_into().unwrap(), u16::try_from(address.port).unwrap())
        };
        match message {
            Kind::Add(set) => self.0.extend(set.addrs.into_iter().map(|addr| address(addr.addr.unwrap()))),
            Kind::Remove(set) => {
                for addr in set.addrs {
                    assert!(self.0.remove(&address(addr)));
                }
            }
            Kind::NoEndpoints(_) => self.0.clear(),
        }
    }
}
