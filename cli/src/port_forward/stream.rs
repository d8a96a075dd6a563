//! A forwarded connection as a stream of bytes.

use bytes::{Bytes, BytesMut};
use kube::api::Portforwarder;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf};

type Failure = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// A connection to a port of a pod. What goes wrong at the other end is an error of reading, never of writing.
pub struct Forwarded {
    bytes: DuplexStream,
    /// Says why the connection ended, if it was for a reason.
    failure: Option<Failure>,
    /// The same, once it is known.
    reason: Option<String>,
    /// What has been read ahead.
    ahead: Bytes,
    /// Carries the bytes; absent in tests.
    forwarder: Option<Portforwarder>,
}

impl Forwarded {
    /// The only stream of a forwarder.
    pub fn new(mut forwarder: Portforwarder, port: u16) -> Option<Self> {
        let bytes = forwarder.take_stream(port)?;
        let failure: Failure = Box::pin(forwarder.take_error(port)?);
        Some(Self { bytes, failure: Some(failure), reason: None, ahead: Bytes::new(), forwarder: Some(forwarder) })
    }

    /// Waits until a server that speaks first has spoken: only then is it known to be there. One that stays
    /// silent for `limit` is taken for one that waits for its client.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn answered(&mut self, limit: Duration) -> io::Result<()> {
        let mut ahead = BytesMut::new();
        match tokio::time::timeout(limit, self.read_buf(&mut ahead)).await {
            Ok(Ok(0)) => return Err(io::Error::other("the connection was closed at once")),
            Ok(Err(reason)) => return Err(reason),
            Ok(Ok(_)) => self.ahead = ahead.freeze(),
            Err(_) => {}
        }
        Ok(())
    }

    /// Why the connection ended, once that is known.
    fn poll_reason(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        if let Some(failure) = &mut self.failure
            && let Poll::Ready(reason) = failure.as_mut().poll(context)
        {
            self.failure = None;
            self.reason = reason.map(|reason| shortened(&reason));
        }
        self.reason.clone().map(io::Error::other)
    }
}

/// Bytes for a connection that has ended go nowhere, and reading tells why it ended. An error here would hide
/// that: HTTP/2 shows its user the first one.
fn written<T>(result: Poll<io::Result<T>>, as_if: T) -> Poll<io::Result<T>> {
    match result {
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(as_if)),
        result => result,
    }
}

/// What the node says, without the names of its sandbox: the cause comes last.
fn shortened(reason: &str) -> String {
    let reason = reason.trim();
    let cause = reason.rfind("dial tcp").map(|start| &reason[start..]);
    cause.unwrap_or(reason).to_owned()
}

impl AsyncRead for Forwarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let taken = self.ahead.len().min(into.remaining());
            into.put_slice(&self.ahead.split_to(taken));
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let is_read = Pin::new(&mut self.bytes).poll_read(context, into)?;
        if is_read.is_ready() && into.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        // The end of the bytes, or none yet: a reason may be why.
        match self.poll_reason(context) {
            Some(reason) => Poll::Ready(Err(reason)),
            None => is_read.map(Ok),
        }
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        written(Pin::new(&mut self.bytes).poll_write(context, bytes), bytes.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        written(Pin::new(&mut self.bytes).poll_flush(context), ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}

impl Drop for Forwarded {
    /// Ends the task behind the bytes, and with it the connection to the Kubernetes API.
    fn drop(&mut self) {
        if let Some(forwarder) = &self.forwarder {
            forwarder.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    fn forwarded(failure: impl Future<Output = Option<String>> + Send + 'static) -> (Forwarded, DuplexStream) {
        let (bytes, other) = tokio::io::duplex(64);
        (
            Forwarded { bytes, failure: Some(Box::pin(failure)), reason: None, ahead: Bytes::new(), forwarder: None },
            other,
        )
    }

    #[tokio::test]
    async fn bytes_that_came_before_a_failure_are_read_first() {
        let refused = "error forwarding port 1 to pod x, uid : failed: dial tcp4 127.0.0.1:1: connect: refused\n";
        let (mut stream, mut other) = forwarded(async { Some(refused.to_owned()) });
        other.write_all(b"abc").await.unwrap();
        let mut read = [0; 3];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abc");
        drop(other);
        let error = stream.read(&mut read).await.unwrap_err();
        let reason = "dial tcp4 127.0.0.1:1: connect: refused";
        assert_eq!(error.to_string(), reason);
        stream.write_all(b"abc").await.unwrap();
        assert_eq!(stream.read(&mut read).await.unwrap_err().to_string(), reason, "it stays so");
    }

    #[tokio::test]
    async fn a_failure_ends_a_read_that_waits() {
        let (mut stream, _other) = forwarded(async {
            tokio::task::yield_now().await;
            Some("lost".to_owned())
        });
        let error = stream.read(&mut [0; 3]).await.unwrap_err();
        assert_eq!(error.to_string(), "lost");
    }

    #[tokio::test]
    async fn an_end_without_reason_is_the_end() {
        let (mut stream, other) = forwarded(async { None });
        drop(other);
        assert_eq!(stream.read(&mut [0; 3]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_server_says_first_is_kept_and_one_that_waits_is_not_waited_for() {
        let limit = Duration::from_secs(1);
        let (mut stream, mut other) = forwarded(std::future::pending());
        stream.answered(limit).await.unwrap();
        other.write_all(b"abc").await.unwrap();
        stream.answered(limit).await.unwrap();
        let mut read = [0; 2];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"ab");
        assert_eq!(stream.read(&mut read).await.unwrap(), 1);
        drop(other);
        assert!(stream.answered(limit).await.unwrap_err().to_string().contains("closed at once"));
    }
}
