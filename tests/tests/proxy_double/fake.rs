//! A control plane that answers from a script, and keeps what it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use futures::{StreamExt, stream};
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use linkerd_proto::destination::destination_server::{Destination, DestinationServer};
use linkerd_proto::destination::{DestinationProfile, GetDestination, Update};
use linkerd_proto::identity::identity_server::{Identity, IdentityServer};
use linkerd_proto::identity::{CertifyRequest, CertifyResponse};
use linkerd_proto::inbound::inbound_server_policies_server::{InboundServerPolicies, InboundServerPoliciesServer};
use linkerd_proto::inbound::{PortSpec, Server};
use linkerd_proto::outbound::outbound_policies_server::{OutboundPolicies, OutboundPoliciesServer};
use linkerd_proto::outbound::{OutboundPolicy, TrafficSpec};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;
use tonic::{Response, Status};
use tower::Service;

/// How a stream goes on after its messages.
#[derive(Clone)]
pub enum End {
    /// It stays open.
    Open,
    /// It ends without error.
    Ok,
    /// It ends with an error.
    Error(Status),
}

/// The answer to a subscription.
pub struct Reply<T>(pub Vec<T>, pub End);

impl<T> Reply<T> {
    /// One message; the stream stays open.
    pub fn one(message: T) -> Self {
        Self(vec![message], End::Open)
    }

    /// No message, ever.
    pub fn silent() -> Self {
        Self(Vec::new(), End::Open)
    }

    /// An error at once.
    pub fn error(status: Status) -> Self {
        Self(Vec::new(), End::Error(status))
    }
}

/// Answers to the nth request of a method, counted from 1.
type Script<Q, A> = Box<dyn Fn(usize, &Q) -> A + Send + Sync>;

/// What is answered.
pub struct Scripts {
    pub certify: Script<CertifyRequest, Result<CertifyResponse, Status>>,
    pub port: Script<PortSpec, Reply<Server>>,
    pub policy: Script<TrafficSpec, Reply<OutboundPolicy>>,
    pub profile: Script<GetDestination, Reply<DestinationProfile>>,
    pub get: Script<GetDestination, Reply<Update>>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            certify: Box::new(|_, _| Err(Status::unavailable("no script"))),
            port: Box::new(|_, _| Reply::silent()),
            policy: Box::new(|_, _| Reply::silent()),
            profile: Box::new(|_, _| Reply::silent()),
            get: Box::new(|_, _| Reply::silent()),
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub certify: Vec<CertifyRequest>,
    pub port: Vec<PortSpec>,
    pub policy: Vec<TrafficSpec>,
    pub profile: Vec<GetDestination>,
    pub get: Vec<GetDestination>,
    /// Method, authority and names of headers of each request.
    pub wire: Vec<(String, String, Vec<String>)>,
    /// Whether each TLS connection came with a certificate.
    pub certificates: Vec<bool>,
}

#[derive(Clone)]
struct State(Arc<(Scripts, Mutex<Asked>)>);

impl State {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<Q: Clone>(&self, request: &Q, list: impl FnOnce(&mut Asked) -> &mut Vec<Q>) -> usize {
        let mut asked = self.asked();
        let list = list(&mut asked);
        list.push(request.clone());
        list.len()
    }
}

/// A running fake; dropping it closes its connections.
pub struct Fake {
    pub address: SocketAddr,
    state: State,
    _server: tokio_util::task::AbortOnDropHandle<()>,
}

impl Fake {
    pub async fn start(scripts: Scripts) -> Result<Self> {
        Self::listen(scripts, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await
    }

    pub async fn start_tls(scripts: Scripts, tls: TlsAcceptor) -> Result<Self> {
        Self::listen(scripts, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(tls)).await
    }

    pub async fn start_at(scripts: Scripts, address: SocketAddr) -> Result<Self> {
        Self::listen(scripts, address, None).await
    }

    async fn listen(scripts: Scripts, address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = State(Arc::new((scripts, Mutex::default())));
        let server = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(serve(listener, tls, state.clone())));
        Ok(Self { address, state, _server: server })
    }

    pub fn asked(&self) -> Asked {
        self.state.asked().clone()
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: State) {
    let routes = Routes::new(IdentityServer::new(state.clone()))
        .add_service(InboundServerPoliciesServer::new(state.clone()))
        .add_service(OutboundPoliciesServer::new(state.clone()))
        .add_service(DestinationServer::new(state.clone()));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (state, mut routes, tls) = (state.clone(), routes.clone(), tls.clone());
        let noting = state.clone();
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let headers = request.headers().keys().map(ToString::to_string).collect();
            let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
            noting.asked().wire.push((request.uri().path().to_owned(), authority, headers));
            routes.call(request)
        });
        let service = TowerToHyperService::new(service);
        connections.spawn(async move {
            let http = Builder::new(TokioExecutor::new()).http2_only();
            // How a connection ends is the client's business.
            match tls {
                None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let has_certificate = stream.get_ref().1.peer_certificates().is_some();
                        state.asked().certificates.push(has_certificate);
                        drop(http.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        });
    }
}

type Stream<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

fn answer<T: Send + 'static>(Reply(messages, end): Reply<T>) -> Result<Response<Stream<T>>, Status> {
    let end: Stream<T> = match end {
        End::Open => Box::pin(stream::pending()),
        End::Ok => Box::pin(stream::empty()),
        End::Error(status) => Box::pin(stream::once(async { Err(status) })),
    };
    Ok(Response::new(Box::pin(stream::iter(messages.into_iter().map(Ok)).chain(end))))
}

#[tonic::async_trait]
impl Identity for State {
    async fn certify(&self, request: tonic::Request<CertifyRequest>) -> Result<Response<CertifyResponse>, Status> {
        let request = request.into_inner();
        let nth = self.note(&request, |asked| &mut asked.certify);
        (self.0.0.certify)(nth, &request).map(Response::new)
    }
}

#[tonic::async_trait]
impl InboundServerPolicies for State {
    type WatchPortStream = Stream<Server>;

    async fn get_port(&self, _: tonic::Request<PortSpec>) -> Result<Response<Server>, Status> {
        Err(Status::unimplemented("proxies watch"))
    }

    async fn watch_port(&self, request: tonic::Request<PortSpec>) -> Result<Response<Stream<Server>>, Status> {
        let request = request.into_inner();
        let nth = self.note(&request, |asked| &mut asked.port);
        answer((self.0.0.port)(nth, &request))
    }
}

#[tonic::async_trait]
impl OutboundPolicies for State {
    type WatchStream = Stream<OutboundPolicy>;

    async fn get(&self, _: tonic::Request<TrafficSpec>) -> Result<Response<OutboundPolicy>, Status> {
        Err(Status::unimplemented("proxies watch"))
    }

    async fn watch(&self, request: tonic::Request<TrafficSpec>) -> Result<Response<Stream<OutboundPolicy>>, Status> {
        let request = request.into_inner();
        let nth = self.note(&request, |asked| &mut asked.policy);
        answer((self.0.0.policy)(nth, &request))
    }
}

#[tonic::async_trait]
impl Destination for State {
    type GetStream = Stream<Update>;
    type GetProfileStream = Stream<DestinationProfile>;

    async fn get(&self, request: tonic::Request<GetDestination>) -> Result<Response<Stream<Update>>, Status> {
        let request = request.into_inner();
        let nth = self.note(&request, |asked| &mut asked.get);
        answer((self.0.0.get)(nth, &request))
    }

    async fn get_profile(
        &self,
        request: tonic::Request<GetDestination>,
    ) -> Result<Response<Stream<DestinationProfile>>, Status> {
        let request = request.into_inner();
        let nth = self.note(&request, |asked| &mut asked.profile);
        answer((self.0.0.profile)(nth, &request))
    }
}

/// Waits for something about what was asked.
pub async fn asked<F>(fake: &Fake, wanted: F) -> Result<Asked>
where
    F: Fn(&Asked) -> bool,
{
    linkerd_tests::eventually(super::DEADLINE, || {
        let asked = fake.asked();
        let is_wanted = wanted(&asked);
        let checked: Result<Asked> =
            if is_wanted { Ok(asked) } else { Err(anyhow::anyhow!("asked so far: {asked:?}")) };
        std::future::ready(checked)
    })
    .await
}
