//! The whole service over loopback, from objects in memory to gRPC clients.

use crate::{
    Policy, methods, start,
    testing::{authentication, authorization_policy, config, mesh_tls, pod, server, service},
};
use linkerd_controller::{
    args::ListenAddr,
    grpc::Methods,
    listen::Listener,
    source::{ObjectKind, Objects, Source, Watches},
    tasks::Tasks,
};
use linkerd_k8s::{ObjectId, Pod, Resource, Server, Service};
use linkerd_proto::{
    inbound::{self, PortSpec, inbound_server_policies_client::InboundServerPoliciesClient},
    net::TcpAddress,
    outbound::{
        OutboundPolicy, TrafficSpec, outbound_policies_client::OutboundPoliciesClient, proxy_protocol,
        traffic_spec::Target,
    },
};
use prost::Message;
use serde_json::json;
use std::{net::SocketAddr, time::Duration};
use tonic::{Code, Status, Streaming, transport::Channel};

struct Running {
    objects: Objects,
    tasks: Tasks,
    policy: Policy,
    channel: Channel,
}

async fn running() -> Running {
    let (tasks, _supervisor) = Tasks::new();
    let objects = Objects::default();
    let watches = Watches::new(Source::Memory(objects.clone()), &tasks);
    let policy = start(&watches, &tasks, config());
    let router = methods(&policy, Methods::new(&tasks)).into_router();
    let listener = Listener::bind(ListenAddr::loopback(0)).unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn_draining("server", listener.serve(router, tasks.shutdown().clone()));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    tasks.readiness.wait().await;
    Running { objects, tasks, policy, channel }
}

impl Running {
    fn delete<T: Resource>(&self, name: &str) {
        self.objects.delete(&ObjectKind::named::<T>(), &ObjectId::new("n", name));
    }

    async fn watch_port(&self, port: u32) -> Result<Streaming<inbound::Server>, Status> {
        let spec = PortSpec { workload: "{\"ns\":\"n\",\"pod\":\"web\"}\n".to_owned(), port };
        Ok(InboundServerPoliciesClient::new(self.channel.clone()).watch_port(spec).await?.into_inner())
    }

    fn outbound(&self) -> OutboundPoliciesClient<Channel> {
        OutboundPoliciesClient::new(self.channel.clone())
    }
}

fn traffic(address: &str) -> TrafficSpec {
    let address: SocketAddr = address.parse().unwrap();
    TrafficSpec { source_workload: "n:web".to_owned(), target: Some(Target::Addr(TcpAddress::from(address))) }
}

/// The next message, soon; nothing at the end of the stream.
async fn next<T>(stream: &mut Streaming<T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(5), stream.message()).await.unwrap().unwrap()
}

async fn next_server(stream: &mut Streaming<inbound::Server>) -> inbound::Server {
    let server = next(stream).await.unwrap();
    super::super::validate::inbound(&server.encode_to_vec())
}

fn kind(policy: &OutboundPolicy) -> &proxy_protocol::Kind {
    super::super::validate::outbound(&policy.encode_to_vec());
    policy.protocol.as_ref().unwrap().kind.as_ref().unwrap()
}

/// Cases 17, 29, 92 and 93.
#[tokio::test]
async fn a_port_follows_servers_authorizations_and_its_pod() {
    let running = running().await;
    running.objects.apply(pod("web").json);
    let mut stream = running.watch_port(80).await.unwrap();
    assert_eq!(next_server(&mut stream).await.labels["name"], "all-unauthenticated");
    running.objects.apply(server("s", "web", json!(80)).json);
    let denied = next_server(&mut stream).await;
    assert_eq!((denied.labels["name"].as_str(), denied.authorizations.len()), ("s", 0));
    let references = json!([authentication("MeshTLSAuthentication", "bot", "n")]);
    running.objects.apply(authorization_policy("p", "s", references).json);
    running.objects.apply(mesh_tls("bot", json!(["bot.n.serviceaccount.identity.linkerd.cluster.local"])).json);
    assert_eq!(next_server(&mut stream).await.authorizations[0].labels["name"], "p");
    // An edit that cannot be decoded withdraws what the object said before.
    running.objects.apply(mesh_tls("bot", json!("*")).json);
    assert_eq!(next_server(&mut stream).await.authorizations.len(), 0);
    running.objects.apply(server("s", "web", json!(80)).spec("proxyProtocol", json!("garbanzo")).json);
    assert_eq!(next_server(&mut stream).await.labels["name"], "all-unauthenticated");
    running.delete::<Server>("s");
    running.delete::<Pod>("web");
    assert!(next(&mut stream).await.is_none(), "the stream ends with OK");
}

/// Case 2: a proxy that asks before its pod is known is answered when it is.
#[tokio::test]
async fn a_pod_that_comes_late_is_answered_then() {
    let running = running().await;
    let watching = || running.policy.inbound.lock().sizes().contains_key(&("watch", "n".to_owned()));
    let (stream, ()) = tokio::join!(running.watch_port(80), async {
        while !watching() {
            tokio::task::yield_now().await;
        }
        running.objects.apply(pod("web").json);
    });
    assert_eq!(next_server(&mut stream.unwrap()).await.labels["name"], "all-unauthenticated");
    let error = running.watch_port(65536).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "Invalid port: 65536"));
    let spec = PortSpec { workload: "n:web".to_owned(), port: 80 };
    let got = InboundServerPoliciesClient::new(running.channel.clone()).get_port(spec).await.unwrap();
    assert_eq!(got.into_inner().labels["name"], "all-unauthenticated");
    // The dropped stream's port is freed.
    while watching() && running.policy.inbound.lock().distinct_policies() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Cases 31, 32 and 34.
#[tokio::test]
async fn a_target_follows_services() {
    let running = running().await;
    let missing = running.outbound().watch(traffic("10.0.0.1:80")).await.unwrap_err();
    assert_eq!((missing.code(), missing.message()), (Code::NotFound, "No such service"));
    running.objects.apply(service("web", "10.0.0.1", 80).json);
    let policy = loop {
        match running.outbound().get(traffic("10.0.0.1:80")).await {
            Ok(policy) => break policy.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::NotFound),
        }
    };
    assert!(matches!(kind(&policy), proxy_protocol::Kind::Detect(_)));
    let mut defined = running.outbound().watch(traffic("10.0.0.1:80")).await.unwrap().into_inner();
    let mut undefined = running.outbound().watch(traffic("10.0.0.1:81")).await.unwrap().into_inner();
    assert_eq!(next(&mut defined).await.unwrap(), policy);
    assert!(matches!(kind(&next(&mut undefined).await.unwrap()), proxy_protocol::Kind::Opaque(_)));
    let ports = json!([{"port": 80, "appProtocol": "http"}, {"port": 81}]);
    running.objects.apply(service("web", "10.0.0.1", 80).spec("ports", ports).json);
    assert!(matches!(kind(&next(&mut defined).await.unwrap()), proxy_protocol::Kind::Http1(_)));
    assert!(next(&mut undefined).await.is_none(), "the stream ends with OK, and the proxy asks again");
    running.delete::<Service>("web");
    assert!(next(&mut defined).await.is_none());
    let no_target = TrafficSpec { source_workload: "n:web".to_owned(), target: None };
    assert_eq!(running.outbound().get(no_target).await.unwrap_err().code(), Code::InvalidArgument);
}

/// Case 82.
#[tokio::test]
async fn streams_end_well_when_the_process_stops() {
    let running = running().await;
    running.objects.apply(pod("web").json);
    let mut inbound = running.watch_port(80).await.unwrap();
    let mut outbound = running.outbound().watch(traffic("1.1.1.1:80")).await.unwrap().into_inner();
    assert!(next(&mut inbound).await.is_some() && next(&mut outbound).await.is_some());
    running.tasks.shutdown().cancel();
    assert!(next(&mut inbound).await.is_none() && next(&mut outbound).await.is_none());
}

#[tokio::test]
async fn sizes_and_problems_are_shown() {
    let running = running().await;
    running.objects.apply(pod("web").annotation("config.linkerd.io/opaque-ports", "x").json);
    running.objects.apply(service("web", "10.0.0.1", 80).json);
    let expected = [
        "inbound_index_pod_index_size{namespace=\"n\"} 1",
        "outbound_index_service_info_index_size 1",
        "policy_object_problems{kind=\"Pod\"} 1",
    ];
    let metrics = loop {
        let metrics = running.tasks.metrics.encode();
        if expected.iter().all(|line| metrics.contains(line)) {
            break metrics;
        }
        tokio::task::yield_now().await;
    };
    assert!(metrics.ends_with("# EOF\n"));
    let dump = running.tasks.diagnostics.dump();
    assert!(dump["inbound policy"]["problems"][0].as_str().unwrap().starts_with("Pod n/web: "), "{dump}");
    assert_eq!(dump["outbound policy"]["sizes"]["service_info"], 1);
}
