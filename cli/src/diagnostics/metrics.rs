//! Metrics of containers, read through the Kubernetes API.

use crate::port_forward::{self, PodPort, is_running, named_port};
use anyhow::{Context as _, anyhow, bail, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::{Client, ResourceExt as _};
use tokio::time::{Instant, timeout_at};

/// Containers that are asked at once.
pub const AT_ONCE: usize = 10;
/// Most that is read of one container.
const MOST: usize = 64 * 1024 * 1024;

/// Where metrics are.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// Pod of the container.
    pub pod: &'a Pod,
    /// The container.
    pub container: &'a Container,
    /// Name of the port.
    pub port: &'a str,
}

impl Scrape<'_> {
    /// The metrics, as the container tells them.
    ///
    /// # Errors
    /// When the pod does not run, or the container has no such port, or does not answer by the deadline.
    pub async fn read(&self, client: &Client, deadline: Instant) -> anyhow::Result<String> {
        let (pod, container) = (self.pod.name_any(), &self.container.name);
        if !is_running(self.pod) {
            bail!("pod not running: {pod}");
        }
        let port = named_port(self.container, self.port);
        let port = port.with_context(|| format!("no {} port found for container {pod}/{container}", self.port))?;
        let metrics = timeout_at(deadline, get(client, &PodPort::new(self.pod, port))).await;
        metrics.map_err(|_| anyhow!("no metrics in time from container {pod}/{container}"))?
    }
}

async fn get(client: &Client, target: &PodPort) -> anyhow::Result<String> {
    let stream = port_forward::connect(client, target).await?;
    let named = || format!("cannot read metrics from {target}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/metrics").header("host", "localhost").header("connection", "close");
    let answer = async {
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|error| anyhow!(error))?;
        ensure!(status.is_success(), "the answer is {status}");
        String::from_utf8(body.to_bytes().into()).context("the answer is no text")
    };
    let answer = answer.await;
    connection.abort();
    answer.with_context(named).map_err(|error| anyhow!(crate::cluster::told(&*error.into_boxed_dyn_error())))
}
