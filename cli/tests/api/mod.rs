//! The gRPC API of a control plane, answering from a script that the names in requests pick.

use futures::{StreamExt as _, stream};
use linkerd_proto::{
    Duration,
    destination::{
        AddrSet, DestinationProfile, GetDestination, NoEndpoints, Update, WeightedAddr, WeightedAddrSet,
        destination_server::{Destination, DestinationServer},
        update,
    },
    inbound::{
        self, PortSpec, ProxyProtocol,
        inbound_server_policies_server::{InboundServerPolicies, InboundServerPoliciesServer},
        proxy_protocol,
    },
    meta::{Metadata, Resource, metadata},
    net::TcpAddress,
    outbound::{
        OutboundPolicy, TrafficSpec,
        outbound_policies_server::{OutboundPolicies, OutboundPoliciesServer},
        traffic_spec,
    },
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

type Stream<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone, Default)]
struct Script {
    requests: Arc<Mutex<Vec<String>>>,
}

pub struct Api {
    pub address: SocketAddr,
    script: Script,
}

impl Api {
    pub async fn start() -> Self {
        let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = incoming.local_addr().expect("an address");
        let script = Script::default();
        let server = tonic::transport::Server::builder()
            .add_service(DestinationServer::new(script.clone()))
            .add_service(InboundServerPoliciesServer::new(script.clone()))
            .add_service(OutboundPoliciesServer::new(script.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        Self { address, script }
    }

    /// What was asked since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.script.requests.lock().expect("no panic"))
    }
}

impl Script {
    fn note(&self, request: String) {
        self.requests.lock().expect("no panic").push(request);
    }
}

fn address(last: u8) -> TcpAddress {
    TcpAddress { ip: Some(IpAddr::from([10, 0, 0, last]).into()), port: 8080 }
}

fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn add(service: &str, namespace: &str, lasts: &[u8]) -> Update {
    let addrs = lasts.iter().map(|last| WeightedAddr {
        addr: Some(address(*last)),
        weight: 10000,
        metric_labels: labels(&[("pod", &format!("{service}-{last}")), ("zone", "")]),
        ..WeightedAddr::default()
    });
    let metric_labels = labels(&[("service", service), ("namespace", namespace)]);
    Update { update: Some(update::Update::Add(WeightedAddrSet { addrs: addrs.collect(), metric_labels })) }
}

fn remove(last: u8) -> Update {
    Update { update: Some(update::Update::Remove(AddrSet { addrs: vec![address(last)] })) }
}

/// A stream that stays open after its messages, as real ones do.
fn open<T: Send + 'static>(messages: Vec<T>) -> Response<Stream<T>> {
    Response::new(Box::pin(stream::iter(messages.into_iter().map(Ok)).chain(stream::pending())))
}

#[tonic::async_trait]
impl Destination for Script {
    type GetStream = Stream<Update>;
    type GetProfileStream = Stream<DestinationProfile>;

    async fn get(&self, request: Request<GetDestination>) -> Result<Response<Stream<Update>>, Status> {
        let GetDestination { scheme, path, context_token } = request.into_inner();
        self.note(format!("get scheme={scheme} path={path} token={context_token}"));
        let no_endpoints = Update { update: Some(update::Update::NoEndpoints(NoEndpoints { exists: true })) };
        match path.split_once('.') {
            Some(("empty", _)) => Ok(open(vec![no_endpoints])),
            Some(("silent", _)) => Ok(open(vec![])),
            Some(("shrinking", namespace)) => Ok(open(vec![add("shrinking", namespace, &[1, 2]), remove(1)])),
            Some(("nope", namespace)) => Err(Status::not_found(format!("Service nope.{namespace} not found"))),
            Some((service, namespace)) => Ok(open(vec![add(service, namespace, &[2, 10])])),
            None => Err(Status::invalid_argument(format!("Invalid authority: {path}"))),
        }
    }

    async fn get_profile(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Stream<DestinationProfile>>, Status> {
        let GetDestination { path, context_token, .. } = request.into_inner();
        self.note(format!("profile path={path} token={context_token}"));
        match path.split_once('.') {
            Some(("silent", _)) => Ok(open(vec![])),
            Some((service, _)) => {
                let mut profile = DestinationProfile { fully_qualified_name: service.to_owned(), ..Default::default() };
                profile.opaque_protocol = true;
                let service = Resource { kind: "Service".to_owned(), name: service.to_owned(), ..Resource::default() };
                profile.parent_ref = Some(Metadata { kind: Some(metadata::Kind::Resource(service)) });
                Ok(open(vec![profile, DestinationProfile::default()]))
            }
            None => Err(Status::invalid_argument(format!("invalid authority: \"{path}\""))),
        }
    }
}

#[tonic::async_trait]
impl InboundServerPolicies for Script {
    type WatchPortStream = Stream<inbound::Server>;

    async fn get_port(&self, request: Request<PortSpec>) -> Result<Response<inbound::Server>, Status> {
        let PortSpec { workload, port } = request.into_inner();
        self.note(format!("port workload={workload} port={port}"));
        if workload.ends_with(":unknown") {
            return Err(Status::not_found("unknown server"));
        }
        let timeout = Some(Duration { seconds: 10, nanos: 0 });
        let detect = proxy_protocol::Detect { timeout, ..proxy_protocol::Detect::default() };
        let protocol = ProxyProtocol { kind: Some(proxy_protocol::Kind::Detect(detect)) };
        let labels = labels(&[("kind", "default"), ("name", "all-unauthenticated"), ("group", "")]);
        Ok(Response::new(inbound::Server { protocol: Some(protocol), labels, ..inbound::Server::default() }))
    }

    async fn watch_port(&self, _: Request<PortSpec>) -> Result<Response<Stream<inbound::Server>>, Status> {
        Err(Status::unimplemented("diagnostics ask once"))
    }
}

#[tonic::async_trait]
impl OutboundPolicies for Script {
    type WatchStream = Stream<OutboundPolicy>;

    async fn get(&self, request: Request<TrafficSpec>) -> Result<Response<OutboundPolicy>, Status> {
        let TrafficSpec { source_workload, target } = request.into_inner();
        let Some(traffic_spec::Target::Authority(authority)) = target else {
            return Err(Status::invalid_argument("target is required"));
        };
        self.note(format!("outbound workload={source_workload} authority={authority}"));
        let metadata = Metadata { kind: Some(metadata::Kind::Default("default".to_owned())) };
        Ok(Response::new(OutboundPolicy { protocol: None, metadata: Some(metadata) }))
    }

    async fn watch(&self, _: Request<TrafficSpec>) -> Result<Response<Stream<OutboundPolicy>>, Status> {
        Err(Status::unimplemented("diagnostics ask once"))
    }
}
