//! Connections that arrive back here when traffic is redirected.

use super::TARGET;
use rand::{Rng, distr::Alphanumeric};
use std::{fmt, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until, timeout},
};

/// Bytes of a token, its last a newline.
const LENGTH: usize = 64;
/// Time between attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest attempt. One that began before a rule was made never gets an answer, so a new one must
/// begin now and then.
const ATTEMPT: Duration = Duration::from_secs(1);
/// Time that the first attempt has at least, even if the timeout is 0.
const FIRST_ATTEMPT: Duration = Duration::from_millis(250);
/// So long that nobody waits for its end, and short enough to be added to a time.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// A text by which this process knows its own listener.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

impl Token {
    /// A token that nobody else has.
    pub fn random() -> Self {
        let mut token: Vec<u8> = rand::rng().sample_iter(Alphanumeric).take(LENGTH - 1).collect();
        token.push(b'\n');
        Self(token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Why one connection did not reach the listener.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing listens there, or there is no way there.
    #[error("Unable to connect to validator. Please ensure iptables rules are rewriting traffic as expected: {0}")]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("The connection broke before the token was read: {0}")]
    Read(#[source] io::Error),
    /// Somebody else listens there.
    #[error("Another server answered: expected {expected}, got {got}")]
    Mismatch {
        /// What our listener sends.
        expected: String,
        /// What was received.
        got: String,
    },
    /// Nobody answered.
    #[error("No answer within {0:?}")]
    Silent(Duration),
}

/// An address whose connections were not redirected until the timeout.
#[derive(Debug)]
pub struct Unvalidated {
    /// The address.
    pub addr: SocketAddr,
    /// Why the last attempt failed.
    pub last: Failure,
}

/// Sends the token to whoever connects, for ever.
pub async fn serve(listener: &TcpListener, token: &Token) {
    loop {
        match listener.accept().await {
            Ok((mut stream, peer)) => {
                tracing::debug!(target: TARGET, %peer, "Accepted");
                // So few bytes fit in any socket's buffer: this does not wait for the peer.
                let sent = stream.write_all(&token.0).await;
                if let Err(error) = sent.and(stream.shutdown().await) {
                    tracing::debug!(target: TARGET, %peer, "Failed to write: {error}");
                }
            }
            Err(error) => {
                // Out of file descriptors, say; the next attempt may find one.
                tracing::warn!(target: TARGET, "Failed to accept: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Connects until the token comes back.
///
/// # Errors
/// After `limit`, with the reason of the last attempt.
pub async fn until_redirected(addr: SocketAddr, token: &Token, limit: Duration) -> Result<(), Unvalidated> {
    let deadline = Instant::now() + limit.min(FOREVER);
    let mut least = FIRST_ATTEMPT;
    loop {
        let time = deadline.saturating_duration_since(Instant::now()).min(ATTEMPT).max(least);
        let last = match timeout(time, attempt(addr, token)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Silent(time),
        };
        if least == FIRST_ATTEMPT {
            tracing::info!(target: TARGET, %addr, "Not redirected yet, trying until the timeout: {last}");
        } else {
            tracing::debug!(target: TARGET, %addr, "Not redirected yet: {last}");
        }
        least = Duration::ZERO;
        let next = Instant::now() + PAUSE;
        if next >= deadline {
            sleep_until(deadline).await;
            return Err(Unvalidated { addr, last });
        }
        sleep_until(next).await;
    }
}

async fn attempt(addr: SocketAddr, token: &Token) -> Result<(), Failure> {
    tracing::debug!(target: TARGET, "Connecting to {addr}");
    let stream = TcpStream::connect(addr).await.map_err(Failure::Connect)?;
    tracing::debug!(target: TARGET, "Connected");
    let mut got = Vec::with_capacity(LENGTH);
    stream.take(LENGTH as u64).read_to_end(&mut got).await.map_err(Failure::Read)?;
    let got = Token(got);
    if got == *token {
        return Ok(());
    }
    Err(Failure::Mismatch { expected: token.to_string(), got: got.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        (listener, addr)
    }

    #[test]
    fn tokens_are_letters_and_digits_with_a_newline_and_differ() {
        let token = Token::random();
        let (newline, rest) = token.0.split_last().unwrap();
        assert!(*newline == b'\n' && rest.len() == 63 && rest.iter().all(u8::is_ascii_alphanumeric));
        assert!(token != Token::random());
    }

    // case 18; a timeout of 0 suffices where redirection works
    #[tokio::test]
    async fn a_connection_that_arrives_here_is_redirected() {
        let (listener, addr) = listener().await;
        let token = Token::random();
        tokio::select! {
            result = until_redirected(addr, &token, Duration::ZERO) => assert!(result.is_ok()),
            () = serve(&listener, &token) => {}
        }
    }

    // case 19
    #[tokio::test]
    async fn another_servers_answer_is_not_ours() {
        let (listener, addr) = listener().await;
        let (token, others) = (Token::random(), Token::random());
        let limit = Duration::from_millis(1);
        tokio::select! {
            result = until_redirected(addr, &token, limit) => {
                let told = result.unwrap_err().last.to_string();
                assert!(told.contains(&token.to_string()) && told.contains(&others.to_string()), "{told}");
            }
            () = serve(&listener, &others) => {}
        }
    }

    // case 19
    #[tokio::test]
    async fn a_server_that_closes_early_did_not_answer() {
        let (listener, addr) = listener().await;
        let close = async { drop(listener.accept().await.unwrap()) };
        let token = Token::random();
        let (result, ()) = tokio::join!(until_redirected(addr, &token, Duration::ZERO), close);
        assert!(result.unwrap_err().last.to_string().contains(r#"got """#));
    }

    // case 47
    #[tokio::test]
    async fn a_silent_peer_is_given_up_at_the_timeout() {
        let (_listener, addr) = listener().await;
        let started = Instant::now();
        let result = until_redirected(addr, &Token::random(), Duration::from_millis(400)).await;
        assert!(matches!(result.unwrap_err().last, Failure::Silent(_)));
        assert!(started.elapsed() >= Duration::from_millis(400));
    }

    // case 18: refused, then retried
    #[tokio::test]
    async fn a_rule_that_appears_later_is_in_time() {
        let (reserved, addr) = listener().await;
        drop(reserved);
        let token = Token::random();
        let later = async {
            sleep(Duration::from_millis(300)).await;
            let listener = TcpListener::bind(addr).await.unwrap();
            serve(&listener, &token).await;
        };
        tokio::select! {
            result = until_redirected(addr, &token, Duration::from_secs(20)) => assert!(result.is_ok()),
            () = later => {}
        }
    }

    // case 18
    #[tokio::test]
    async fn a_refused_connection_is_told_after_the_timeout() {
        let (reserved, addr) = listener().await;
        drop(reserved);
        let result = until_redirected(addr, &Token::random(), Duration::from_millis(50)).await;
        assert!(matches!(result.unwrap_err().last, Failure::Connect(_)));
    }
}
