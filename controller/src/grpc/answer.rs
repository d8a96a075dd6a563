//! Bodies of answers: messages, then a status.
//!
//! An idle stream keeps no buffer: bytes of a message that are shared with other streams are sent as they
//! are, and small messages are copied into a buffer that goes away with them.

use super::{Encoded, clients::Slot, life::End, message, metrics::Call};
use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tonic::{Code, Status};

/// Longest message that is copied behind its prefix, in bytes. Longer ones go in a frame of their own.
const COPIED: usize = 4 * 1024;

/// Bytes of short messages that are sent together.
const BATCH: usize = 16 * 1024;

/// An answer with one message.
pub(super) fn unary(answer: Result<Bytes, Status>) -> Response<Body> {
    let framed = answer.and_then(|message| {
        let mut buffer = message::begin(&message, message.len())?;
        buffer.put(message);
        Ok(buffer.freeze())
    });
    match framed {
        Ok(framed) => respond(Body::new(Full::new(framed).with_trailers(std::future::ready(Some(Ok(ok_trailers())))))),
        Err(status) => refuse(&status),
    }
}

/// An answer that is a status alone.
pub(super) fn refuse(status: &Status) -> Response<Body> {
    status.clone().into_http()
}

/// An answer with the messages of a stream.
pub(super) fn streaming(messages: Encoded, slot: Slot, end: End, call: Call) -> Response<Body> {
    respond(Body::new(Answer { messages, slot, end, call, next: None, status: None, is_ended: false }))
}

fn respond(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn ok_trailers() -> HeaderMap {
    HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static("0"))])
}

struct Answer {
    messages: Encoded,
    slot: Slot,
    end: End,
    call: Call,
    /// A message whose prefix was sent.
    next: Option<Bytes>,
    /// How the stream has ended.
    status: Option<Status>,
    is_ended: bool,
}

impl Answer {
    /// The next data: a long message's prefix, a long message, or as many short ones as there are.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(message) = self.next.take() {
            return Poll::Ready(Some(message));
        }
        let mut batch = BytesMut::new();
        while self.status.is_none() && self.next.is_none() && batch.len() < BATCH {
            match self.poll_message(cx) {
                Poll::Ready(Ok(Some(message))) => {
                    self.call.sent();
                    if let Err(status) = self.put(&mut batch, message) {
                        self.status = Some(status);
                    }
                }
                Poll::Ready(Ok(None)) => self.status = Some(Status::ok("")),
                Poll::Ready(Err(status)) => self.status = Some(status),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(if batch.is_empty() { None } else { Some(batch.freeze()) })
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        if let Poll::Ready(message) = self.messages.as_mut().poll_next(cx) {
            return Poll::Ready(message.transpose());
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Ok(None))
    }

    fn put(&mut self, batch: &mut BytesMut, message: Bytes) -> Result<(), Status> {
        if message.len() > COPIED {
            batch.put(message::begin(&message, 0)?);
            self.next = Some(message);
            return Ok(());
        }
        let prefixed = message::begin(&message, message.len())?;
        if batch.is_empty() {
            *batch = prefixed;
        } else {
            batch.put(prefixed);
        }
        batch.put(message);
        Ok(())
    }

    fn trailers(&mut self, status: Status) -> HeaderMap {
        self.is_ended = true;
        self.call.ended(status.code());
        let mut trailers = HeaderMap::new();
        if status.code() == Code::Ok || status.add_header(&mut trailers).is_err() {
            return ok_trailers();
        }
        trailers
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        // Whoever asks has taken what was given before.
        self.slot.taken();
        if let Some(data) = ready!(self.poll_data(cx)) {
            self.slot.given();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let status = self.status.take().unwrap_or_else(|| Status::ok(""));
        Poll::Ready(Some(Ok(Frame::trailers(self.trailers(status)))))
    }
}
