use super::*;
use crate::{args::ListenAddr, listen::Listener};
use futures::StreamExt;
use prost_types::Duration as Message32;
use std::{net::SocketAddr, time::Duration};
use tonic::transport::Channel;

type Client = tonic::client::Grpc<Channel>;

/// Serves `example.Count/Up`, which counts up from the request's seconds and then stays open.
async fn serve(tasks: &Tasks) -> SocketAddr {
    let methods = Methods::new(tasks).streaming("example.Count", "Up", |from: Message32| async move {
        if from.seconds < 0 {
            return Err(Status::invalid_argument("negative"));
        }
        let numbers = (from.seconds..from.seconds + 2).map(|seconds| Ok(encode(&Message32 { seconds, nanos: 0 })));
        Ok(futures::stream::iter(numbers).chain(futures::stream::pending()).boxed())
    });
    let methods = methods.unary("example.Count", "Double", |number: Message32| async move {
        Ok(encode(&Message32 { seconds: number.seconds * 2, nanos: 0 }))
    });
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
