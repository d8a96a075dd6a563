use super::*;
use crate::{args::ListenAddr, listen::Listener};
use futures::StreamExt;
use prost_types::Duration as Message32;
use std::{net::SocketAddr, time::Duration};
use tonic::transport::Channel;

type Client = tonic::client::Grpc<Channel>;

/// Serves `example.Count/Up`, which counts up from the request's seconds and then stays open.
async fn serve(tasks: &Tasks) -> SocketAddr {
    serve_with(tasks, StreamLimits::default())
}

fn serve_with(tasks: &Tasks, limits: StreamLimits) -> SocketAddr {
    let methods = Methods::new(tasks).with_limits(limits).with_max_request(1024);
    let methods = methods.streaming("example.Count", "Up", |from: Message32| async move {
        if from.seconds < 0 {
            return Err(Status::invalid_argument("negative"));
        }
        let numbers = (from.seconds..from.seconds + 2).map(|seconds| Ok(encode(&Message32 { seconds, nanos: 0 })));
        Ok(futures::stream::iter(numbers).chain(futures::stream::pending()).boxed())
    });
    let methods = methods.unary("example.Count", "Double", |number: Message32| async move {
        Ok(encode(&Message32 { seconds: number.seconds * 2, nanos: 0 }))
    });
    listen(tasks, methods)
}

fn listen(tasks: &Tasks, methods: Methods) -> SocketAddr {
    let listener = Listener::bind(ListenAddr::loopback(0)).unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn_draining("server", listener.serve(methods.into_router(), tasks.shutdown().clone()));
    address
}

async fn client(address: SocketAddr) -> Client {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = Client::new(channel);
    client.ready().await.unwrap();
    client
}

async fn count_from(client: &mut Client, seconds: i64) -> Result<tonic::Streaming<Message32>, Status> {
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<Message32, Message32>::default();
    let request = tonic::Request::new(Message32 { seconds, nanos: 0 });
    let path = http::uri::PathAndQuery::from_static("/example.Count/Up");
    Ok(client.server_streaming(request, path, codec).await?.into_inner())
}

#[tokio::test]
async fn encoded_messages_reach_a_client_and_a_drained_stream_ends_with_ok() {
    let (tasks, _supervisor) = Tasks::new();
    let mut client = client(serve(&tasks).await).await;
    let mut stream = count_from(&mut client, 5).await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().seconds, 5);
    assert_eq!(stream.message().await.unwrap().unwrap().seconds, 6);
    tasks.shutdown().cancel();
    assert!(stream.message().await.unwrap().is_none());
    tokio::time::timeout(Duration::from_secs(5), tasks.drain()).await.unwrap();
    let metrics = tasks.metrics.encode();
    let handled = r#"grpc_server_handled_total{grpc_type="server_stream",grpc_service="example.Count",grpc_method="Up",grpc_code="OK"} 1"#;
    assert!(metrics.contains(handled), "{metrics}");
}

#[tokio::test]
async fn unary_answers_errors_and_unknown_methods() {
    let (tasks, _supervisor) = Tasks::new();
    let mut client = client(serve(&tasks).await).await;
    assert_eq!(count_from(&mut client, -1).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    for (path, expected) in
        [("/example.Count/Double", Ok(42)), ("/example.Count/Halve", Err(tonic::Code::Unimplemented))]
    {
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<Message32, Message32>::default();
        let request = tonic::Request::new(Message32 { seconds: 21, nanos: 0 });
        let answer = client.unary(request, http::uri::PathAndQuery::from_static(path), codec).await;
        assert_eq!(answer.map(|answer| answer.into_inner().seconds).map_err(|status| status.code()), expected);
    }
}

/// Waits for the end of a stream; its status, or nothing for OK.
async fn end(stream: &mut tonic::Streaming<Message32>) -> Option<Status> {
    let end = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), end).await.unwrap()
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_until_others_end() {
    let (tasks, _supervisor) = Tasks::new();
    let limits = StreamLimits { per_connection: 1, per_address: 2, ..StreamLimits::default() };
    let address = serve_with(&tasks, limits);
    let (mut one, mut other) = (client(address).await, client(address).await);
    let first = count_from(&mut one, 1).await.unwrap();
    let refusal = count_from(&mut one, 1).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
    assert!(refusal.message().contains("on this connection"), "{refusal}");
    let _second = count_from(&mut other, 1).await.unwrap();
    let refusal = count_from(&mut client(address).await, 1).await.unwrap_err();
    assert!(refusal.message().starts_with("127.0.0.1 has 2 open streams"), "{refusal}");
    drop(first);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while let Err(refusal) = count_from(&mut one, 1).await {
        assert!(tokio::time::Instant::now() < deadline, "{refusal}");
    }
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused() {
    let (tasks, _supervisor) = Tasks::new();
    let mut client = client(serve(&tasks).await).await;
    let codec = tonic_prost::ProstCodec::<prost_types::Any, Message32>::default();
    let request = tonic::Request::new(prost_types::Any { type_url: "x".repeat(1024), value: Vec::new() });
    let path = http::uri::PathAndQuery::from_static("/example.Count/Up");
    let refusal = client.server_streaming(request, path, codec).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
    assert_eq!(refusal.message(), "the request has 1027 bytes; requests of up to 1024 bytes are read");
}

#[tokio::test]
async fn an_old_stream_ends_with_ok() {
    let (tasks, _supervisor) = Tasks::new();
    let limits = StreamLimits { lifetime: Duration::from_millis(20), ..StreamLimits::default() };
    let mut client = client(serve_with(&tasks, limits)).await;
    let mut stream = count_from(&mut client, 1).await.unwrap();
    assert!(end(&mut stream).await.is_none());
}

/// Serves `example.Count/Up` without end, as fast as it is read, in messages of 1 KiB; how many it made.
fn serve_flood(tasks: &Tasks, limits: StreamLimits) -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = made.clone();
    let methods = Methods::new(tasks).with_limits(limits);
    let methods = methods.streaming("example.Count", "Up", move |_: Message32| {
        let count = count.clone();
        let messages = futures::stream::repeat_with(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // Field 9, which the client does not know.
            Ok(Bytes::from([&[0x4a, 0x80, 0x08][..], &[0; 1024]].concat()))
        });
        std::future::ready(Ok(messages.boxed()))
    });
    (listen(tasks, methods), made)
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_little_and_loses_its_connection() {
    let (tasks, _supervisor) = Tasks::new();
    let limits = StreamLimits { unread: Duration::from_millis(400), ..StreamLimits::default() };
    let (address, made) = serve_flood(&tasks, limits);
    let mut client = client(address).await;
    let mut stream = count_from(&mut client, 1).await.unwrap();
    stream.message().await.unwrap();
    let closed = "grpc_server_unread_connections_total 1\n";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !tasks.metrics.encode().contains(closed) {
        assert!(tokio::time::Instant::now() < deadline, "the connection is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The client's window, and what was on its way.
    let made = made.load(std::sync::atomic::Ordering::Relaxed);
    assert!(made < 4096, "{made} KiB were made for a client that does not read");
    assert!(end(&mut stream).await.is_some());
}
