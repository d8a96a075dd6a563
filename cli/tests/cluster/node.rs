//! A node as the API server sees it when a port of a pod is forwarded: it takes the connection, and ends it
//! at a server of the test instead of in a container.

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use linkerd_tests::cluster::Cluster;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

/// The protocol with a channel for bytes, and one for errors.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// Where ports of pods are, by namespace and name.
type Routes = Arc<Mutex<HashMap<(String, String, u16), SocketAddr>>>;

/// A node of a cluster.
pub struct Node {
    pub name: String,
    routes: Routes,
}

impl Node {
    /// Joins a cluster.
    pub async fn join(cluster: &Cluster, name: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let routes = Routes::default();
        tokio::spawn(serve(listener, acceptor([name.to_owned()])?, routes.clone()));
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }],
                "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
            },
        });
        cluster.apply_object("default", node).await?;
        Ok(Self { name: name.to_owned(), routes })
    }

    /// Lets connections to a port of a pod end at an address.
    pub fn route(&self, namespace: &str, pod: &str, port: u16, to: SocketAddr) {
        let key = (namespace.to_owned(), pod.to_owned(), port);
        self.routes.lock().expect("no panic").insert(key, to);
    }
}

fn acceptor(names: [String; 1]) -> Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, routes: Routes) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await.expect("the API server speaks TLS");
            let service = hyper::service::service_fn(|request| {
                let answer = upgrade(request, &routes);
                async { answer }
            });
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(TokioIo::new(stream), service).with_upgrades().await
        });
    }
}

fn upgrade(mut request: Request<Incoming>, routes: &Routes) -> Result<Response<Empty<Bytes>>> {
    let path: Vec<&str> = request.uri().path().split('/').collect();
    let [_, "portForward", namespace, pod] = path[..] else { anyhow::bail!("it asks for {path:?}") };
    let port = request.uri().query().and_then(|query| query.rsplit('=').next());
    let port: u16 = port.context("no port")?.parse()?;
    let to = routes.lock().expect("no panic").get(&(namespace.to_owned(), pod.to_owned(), port)).copied();
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).context("no key")?;
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Empty::new())?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded.await?), Role::Server, None).await;
        forward(socket, port, to).await
    });
    Ok(response)
}

async fn forward(socket: WebSocketStream<TokioIo<Upgraded>>, port: u16, to: Option<SocketAddr>) -> Result<()> {
    let message = |channel: u8, bytes: &[u8]| Message::binary([&[channel], bytes].concat());
    let (mut sink, mut messages) = socket.split();
    for channel in [0, 1] {
        sink.send(message(channel, &port.to_le_bytes())).await?;
    }
    let Some(to) = to else {
        let reason = format!("error forwarding port {port}: dial tcp4 127.0.0.1:{port}: connect: connection refused");
        sink.send(message(1, reason.as_bytes())).await?;
        return Ok(sink.send(Message::Close(None)).await?);
    };
    let (mut from_server, mut to_server) = TcpStream::connect(to).await?.into_split();
    let out = async {
        while let Some(Ok(Message::Binary(bytes))) = messages.next().await {
            to_server.write_all(&bytes[1..]).await?;
        }
        anyhow::Ok(())
    };
    let back = async {
        let mut buffer = [0; 4096];
        loop {
            match from_server.read(&mut buffer).await? {
                0 => return Ok(sink.send(Message::Close(None)).await?),
                read => sink.send(message(0, &buffer[..read])).await?,
            }
        }
    };
    tokio::select! {
        result = out => result,
        result = back => result,
    }
}
