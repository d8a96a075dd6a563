//! Questions to the admin server of a running sandbox.

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// Longest time for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Asks for a path and reads the answer as JSON.
///
/// # Errors
/// When nobody answers in time, or not with 200 and JSON.
pub async fn get_json(address: SocketAddr, path: &str) -> anyhow::Result<serde_json::Value> {
    let answer = tokio::time::timeout(DEADLINE, get(address, path)).await;
    answer.with_context(|| format!("the sandbox at {address} did not answer within {DEADLINE:?}"))?
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<serde_json::Value> {
    let unreachable = || format!("cannot reach the sandbox at {address}; is it still running?");
    let stream = TcpStream::connect(address).await.with_context(unreachable)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.with_context(unreachable)?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("the sandbox answered {status} to {path}: {}", String::from_utf8_lossy(&body).trim());
    }
    serde_json::from_slice(&body).with_context(|| format!("the sandbox answered no JSON to {path}"))
}
