//! A stream that is there again whenever it ends: limits, pauses, and which ends are final.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{Code, Status, Streaming};

use crate::backoff::Backoff;
use crate::config::Limits;
use crate::state::{Recorder, Rpc};

/// A subscription under way.
pub type Subscribing<T> = Pin<Box<dyn Future<Output = Result<Streaming<T>, Status>> + Send>>;

/// What is watched, and what is done with it.
pub trait Watch: Send {
    /// What a message is.
    type Message: Send + 'static;

    /// The method.
    const RPC: Rpc;

    /// Asks for a new stream.
    fn subscribe(&self) -> Subscribing<Self::Message>;

    /// Whether a status ends the watch for good.
    fn is_final(&self, code: Code) -> bool;

    /// The first message of a stream is here.
    fn opened(&mut self) {}

    /// A message.
    fn message(&mut self, message: Self::Message);

    /// The watch ended for good.
    fn ended(&mut self, code: Code);

    /// Pause between the end of a stream and the next one.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// What streams of one connection have in common.
pub struct Rules {
    /// Limits, none on loopback.
    pub limits: Limits,
    /// Pauses after streams without message.
    pub backoff: Backoff,
    /// Holds messages up while it is true, like a process that is stopped.
    pub frozen: watch::Receiver<bool>,
    /// Where it is counted.
    pub recorder: Recorder,
}

/// How a stream ended.
enum End<T> {
    /// A limit was reached; the stream is still there.
    Limit(Box<Streaming<T>>),
    /// The server ended it, or the first message did not come in time.
    Server { code: Code, delivered: bool },
}

/// Follows what is watched until it ends for good.
pub async fn follow<W: Watch>(mut watch: W, mut rules: Rules) {
    let mut old = None;
    loop {
        rules.recorder.count(W::RPC, |counter| counter.requests += 1);
        match session(&mut watch, old.take(), &mut rules).await {
            End::Limit(stream) => {
                rules.recorder.count(W::RPC, |counter| counter.renewals += 1);
                rules.backoff.reset();
                if watch.pause().is_zero() {
                    // Cancelled just after the new request.
                    old = Some(*stream);
                } else {
                    drop(stream);
                    sleep(watch.pause()).await;
                }
            }
            End::Server { code, delivered } => {
                match code {
                    // What there is no policy for is asked for all the same.
                    Code::Ok | Code::NotFound => tracing::debug!(method = W::RPC.name(), ?code, "a stream ended"),
                    _ => tracing::info!(method = W::RPC.name(), ?code, "a stream ended"),
                }
                rules.recorder.count(W::RPC, |counter| match code {
                    Code::Ok => counter.ends += 1,
                    code => *counter.errors.entry(code).or_default() += 1,
                });
                if watch.is_final(code) {
                    watch.ended(code);
                    return;
                }
                if delivered {
                    rules.backoff.reset();
                    sleep(watch.pause()).await;
                } else {
                    rules.backoff.pause().await;
                }
            }
        }
    }
}

async fn session<W: Watch>(watch: &mut W, old: Option<Streaming<W::Message>>, rules: &mut Rules) -> End<W::Message> {
    thaw(&mut rules.frozen).await;
    let (started, limits) = (Instant::now(), rules.limits);
    let mut stream = match first(watch.subscribe(), old, limits.initial).await {
        Ok((stream, message)) => {
            let elapsed = started.elapsed();
            rules.recorder.count(W::RPC, |counter| {
                counter.messages += 1;
                counter.slowest = counter.slowest.max(elapsed);
            });
            watch.opened();
            watch.message(message);
            stream
        }
        Err(code) => return End::Server { code, delivered: false },
    };
    let _open = rules.recorder.open(W::RPC);
    loop {
        thaw(&mut rules.frozen).await;
        let ends = [limits.idle.map(|idle| Instant::now() + idle), limits.lifetime.map(|lifetime| started + lifetime)];
        let message = match ends.into_iter().flatten().min() {
            Some(end) => match timeout_at(end, stream.message()).await {
                Ok(message) => message,
                Err(_) => return End::Limit(Box::new(stream)),
            },
            None => stream.message().await,
        };
        let code = match message {
            Ok(Some(message)) => {
                rules.recorder.count(W::RPC, |counter| counter.messages += 1);
                watch.message(message);
                continue;
            }
            Ok(None) => Code::Ok,
            Err(status) => status.code(),
        };
        return End::Server { code, delivered: true };
    }
}

/// The first message of a new stream; the old one is cancelled as soon as the request is made.
async fn first<T: Send + 'static>(
    mut subscribing: Subscribing<T>,
    old: Option<Streaming<T>>,
    limit: Option<Duration>,
) -> Result<(Streaming<T>, T), Code> {
    let message = async {
        let stream = match futures::poll!(subscribing.as_mut()) {
            Poll::Ready(stream) => stream,
            Poll::Pending => {
                drop(old);
                subscribing.await
            }
        };
        let mut stream = stream.map_err(|status| status.code())?;
        match stream.message().await {
            Ok(Some(message)) => Ok((stream, message)),
            Ok(None) => Err(Code::Ok),
            Err(status) => Err(status.code()),
        }
    };
    match limit {
        Some(limit) => tokio::time::timeout(limit, message).await.unwrap_or(Err(Code::DeadlineExceeded)),
        None => message.await,
    }
}

async fn thaw(frozen: &mut watch::Receiver<bool>) {
    // Without sender the double is gone, and this task with it.
    let _ = frozen.wait_for(|is_frozen| !is_frozen).await;
}
