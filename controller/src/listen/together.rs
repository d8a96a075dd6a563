//! A connection and its streams in one task.
//!
//! When a change is fanned out, the streams of a connection have something to send at the same moment. As
//! tasks of their own, each would wake the connection, which would write each message by itself. In one
//! task, all streams are asked first, and what they say is written at once. It also saves a task for each
//! of thousands of idle streams.

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hyper::rt::Executor;
use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::task::coop::unconstrained;

/// Takes the streams of one connection.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        // The budget of a task is meant for one thing; here it would be that of all streams together.
        self.0.lock().push(Box::pin(unconstrained(stream)));
    }
}

impl Streams {
    /// Runs a connection together with its streams, which end with it.
    pub(super) async fn with<T>(self, connection: impl Future<Output = T>) -> T {
        let (mut connection, mut streams) = (pin!(connection), FuturesUnordered::new());
        poll_fn(|cx| {
            loop {
                self.poll_streams(&mut streams, cx);
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                // A stream that has just come may have an answer at once.
                if self.0.lock().is_empty() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn poll_streams(&self, streams: &mut FuturesUnordered<BoxFuture<'static, ()>>, cx: &mut Context<'_>) {
        streams.extend(self.0.lock().drain(..));
        while let Poll::Ready(Some(())) = streams.poll_next_unpin(cx) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn streams_run_while_their_connection_does_and_end_with_it() {
        let (streams, go, ran) = (Streams::default(), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..300 {
            let (go, ran) = (go.clone(), ran.clone());
            streams.execute(async move {
                go.notified().await;
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }
        let (others, endless) = (streams.clone(), Arc::new(()));
        let held = endless.clone();
        let connection = async {
            tokio::task::yield_now().await;
            others.execute(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            go.notify_waiters();
            while ran.load(Ordering::Relaxed) < 300 {
                tokio::task::yield_now().await;
            }
            "closed"
        };
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), streams.with(connection)).await;
        assert_eq!(ended, Ok("closed"));
        drop(others);
        assert_eq!(Arc::strong_count(&endless), 1);
    }

    /// What a connection does between the polls of its streams is one write for all of them.
    #[tokio::test]
    async fn a_connection_is_asked_once_after_all_streams_that_have_news() {
        let (streams, go, ready) = (Streams::default(), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..1000 {
            let (go, ready) = (go.clone(), ready.clone());
            streams.execute(async move {
                go.notified().await;
                ready.fetch_add(1, Ordering::Relaxed);
            });
        }
        let (news, seen) = (go.clone(), ready.clone());
        let mut writes = Vec::new();
        let connection = poll_fn(|_: &mut Context<'_>| match seen.load(Ordering::Relaxed) {
            0 => {
                news.notify_waiters();
                Poll::Pending
            }
            count => {
                writes.push(count);
                if count == 1000 { Poll::Ready(()) } else { Poll::Pending }
            }
        });
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), streams.with(connection)).await;
        assert_eq!((ended, writes.as_slice()), (Ok(()), &[1000][..]));
    }
}
