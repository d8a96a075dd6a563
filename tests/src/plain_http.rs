//! The plain HTTP that admin servers speak: one request, one answer, no client to configure.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer to a request.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

/// `GET path` of the server at `address`.
pub async fn get(address: SocketAddr, path: &str) -> Result<Response> {
    request(address, "GET", path, "").await
}

/// A request with a body (which may be empty).
pub async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Response> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    // HTTP/1.0: the answer ends with the connection, and comes in one piece.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .with_context(|| format!("{address} broke off its answer to {method} {path}"))?;
    parse(&String::from_utf8_lossy(&answer))
        .with_context(|| format!("{address} answered {method} {path} with something else than HTTP"))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let response = parse("HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\npending\n").unwrap();
        assert_eq!((response.status, response.body.as_str()), (503, "pending\n"));
        assert!(parse("SSH-2.0-OpenSSH").is_none());
    }
}
