//! Metrics of requests to the API server, by the names of the field's clients.

use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    sync::atomic::AtomicU64,
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};

/// Name of the API server among the servers that a process is a client of.
const CLIENT: &str = "k8s";

/// Counts requests and times their answers, up to the headers.
#[derive(Clone)]
pub struct ClientMetrics {
    requests: Family<Answered, Counter>,
    latency: Family<Answered, Histogram, fn() -> Histogram>,
    errors: Family<Method, Counter>,
    in_flight: Family<Client, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    client: &'static str,
    code: u16,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    client: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Client {
    client: &'static str,
}

impl ClientMetrics {
    /// Registers the metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let buckets = || Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(buckets),
            errors: Family::default(),
            in_flight: Family::default(),
        };
        registry.register("http_client_requests", "Requests answered, by code", metrics.requests.clone());
        let help = "Time to the headers of answers, in seconds";
        registry.register("http_client_request_latency_seconds", help, metrics.latency.clone());
        registry.register("http_client_errors", "Requests without an answer", metrics.errors.clone());
        registry.register("http_client_in_flight_requests", "Requests under way", metrics.in_flight.clone());
        for (name, help) in [
            ("http_client_qps", "Requests per second that this client allows itself; it does not limit itself"),
            ("http_client_burst", "Requests at once that this client allows itself; it does not limit itself"),
        ] {
            let unlimited = Family::<Client, Gauge<f64, AtomicU64>>::default();
            unlimited.get_or_create(&Client { client: CLIENT }).set(f64::INFINITY);
            registry.register(name, help, unlimited);
        }
        metrics
    }

    fn start(&self, method: &http::Method) -> Call {
        let in_flight = self.in_flight.get_or_create_owned(&Client { client: CLIENT });
        in_flight.inc();
        Call { metrics: self.clone(), in_flight, method: name(method), began: Instant::now(), code: None }
    }
}

/// One request; its end is noted when it is dropped.
struct Call {
    metrics: ClientMetrics,
    in_flight: Gauge,
    method: &'static str,
    began: Instant,
    code: Option<u16>,
}

impl Call {
    fn finish(mut self, code: Option<u16>) {
        self.code = code;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.in_flight.dec();
        let (client, method) = (CLIENT, self.method);
        if let Some(code) = self.code {
            let answered = Answered { client, code, method };
            self.metrics.requests.get_or_create(&answered).inc();
            self.metrics.latency.get_or_create(&answered).observe(self.began.elapsed().as_secs_f64());
        } else {
            self.metrics.errors.get_or_create(&Method { client, method }).inc();
        }
    }
}

fn name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "OTHER",
    }
}

/// The client with its requests counted.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    metrics: ClientMetrics,
}

impl<S> Layer<S> for ClientMetrics {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let call = self.metrics.start(request.method());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            call.finish(answer.as_ref().ok().map(|answer| answer.status().as_u16()));
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use tower::ServiceExt;

    #[tokio::test]
    async fn requests_are_counted_by_code_and_those_without_an_answer_apart() {
        let metrics = Metrics::default();
        let layer = metrics.register(ClientMetrics::register);
        let server = tower::service_fn(|request: Request<()>| async move {
            let code = request.uri().path().trim_start_matches('/').parse::<u16>();
            Response::builder()
                .status(code.map_err(|error| error.to_string())?)
                .body(())
                .map_err(|error| error.to_string())
        });
        let mut client = layer.layer(server);
        for (method, path) in [("POST", "/201"), ("POST", "/201"), ("GET", "/404"), ("GET", "/unreachable")] {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            let _ = client.ready().await.unwrap().call(request).await;
        }
        let text = metrics.encode();
        for line in [
            "http_client_requests_total{client=\"k8s\",code=\"201\",method=\"POST\"} 2",
            "http_client_requests_total{client=\"k8s\",code=\"404\",method=\"GET\"} 1",
            "http_client_request_latency_seconds_count{client=\"k8s\",code=\"201\",method=\"POST\"} 2",
            "http_client_errors_total{client=\"k8s\",method=\"GET\"} 1",
            "http_client_in_flight_requests{client=\"k8s\"} 0",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
        assert!(text.contains("http_client_qps{client=\"k8s\"} "), "{text}");
    }
}
