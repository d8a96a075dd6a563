//! An API server that has one Lease, and the networks of those who ask it.

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How one replica reaches the server.
#[derive(Clone)]
pub(super) struct Network(Arc<Mutex<(Weather, Instant)>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Up,
    /// Requests get lost, and nobody says so.
    Silent,
    /// Connections are refused.
    Down,
    /// Requests arrive, answers get lost.
    LostAnswers,
    /// The server refuses.
    Forbidden,
}

impl Network {
    pub(super) const UP: Weather = Weather::Up;
    pub(super) const SILENT: Weather = Weather::Silent;
    pub(super) const DOWN: Weather = Weather::Down;
    pub(super) const LOST_ANSWERS: Weather = Weather::LostAnswers;
    pub(super) const FORBIDDEN: Weather = Weather::Forbidden;

    pub(super) fn set(&self, weather: Weather) {
        let mut state = self.0.lock();
        if state.0 != weather {
            *state = (weather, Instant::now());
        }
    }

    pub(super) fn has_been_up_for(&self, time: Duration) -> bool {
        let (weather, since) = *self.0.lock();
        weather == Weather::Up && since.elapsed() > time
    }
}

impl Default for Network {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((Weather::Up, Instant::now()))))
    }
}

#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    version: u64,
    lease: Option<Value>,
}

type Answer = (StatusCode, Value);

impl Server {
    pub(super) fn client(&self, network: &Network) -> Client {
        let (server, network) = (self.clone(), network.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, network) = (server.clone(), network.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let weather = network.0.lock().0;
                let (code, object) = match weather {
                    Weather::Silent => std::future::pending().await,
                    Weather::Down => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
                    Weather::Forbidden => failure(StatusCode::FORBIDDEN, "Forbidden"),
                    Weather::Up | Weather::LostAnswers => server.answer(&parts.method, &body),
                };
                if weather == Weather::LostAnswers {
                    std::future::pending::<Infallible>().await;
                }
                let response = Response::builder().status(code).body(Body::from(object.to_string().into_bytes()));
                Ok(response.unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, method: &Method, body: &[u8]) -> Answer {
        let mut state = self.0.lock();
        let sent = || serde_json::from_slice::<Value>(body).unwrap();
        match (method.as_str(), state.lease.as_ref()) {
            ("GET", Some(lease)) => (StatusCode::OK, lease.clone()),
            ("POST", None) => state.set(sent()),
            ("POST", Some(_)) => failure(StatusCode::CONFLICT, "AlreadyExists"),
            ("PUT", Some(lease)) => {
                let sent = sent();
                if sent["metadata"]["resourceVersion"] == lease["metadata"]["resourceVersion"] {
                    state.set(sent)
                } else {
                    failure(StatusCode::CONFLICT, "Conflict")
                }
            }
            ("GET" | "PUT", None) => failure(StatusCode::NOT_FOUND, "NotFound"),
            other => unreachable!("{other:?}"),
        }
    }

    pub(super) fn spec(&self) -> Value {
        self.0.lock().lease.as_ref().map(|lease| lease["spec"].clone()).unwrap_or_default()
    }

    /// Writes as another candidate would.
    pub(super) fn set_spec(&self, spec: Value) {
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                           "metadata": {"name": "the-lease", "namespace": "linkerd"}, "spec": spec});
        self.0.lock().set(lease);
    }

    /// Changes what is of no interest.
    pub(super) fn touch(&self) {
        let mut state = self.0.lock();
        if let Some(lease) = state.lease.clone() {
            state.set(lease);
        }
    }

    pub(super) fn delete(&self) {
        self.0.lock().lease = None;
    }
}

impl State {
    fn set(&mut self, mut lease: Value) -> Answer {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.lease = Some(lease.clone());
        (StatusCode::OK, lease)
    }
}

fn failure(code: StatusCode, reason: &str) -> Answer {
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code.as_u16(),
                        "reason": reason, "message": format!("{reason} by the fake server")});
    (code, status)
}
