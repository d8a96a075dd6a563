//! Answers of API servers that are not trusted to be of any sensible length.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Longest line of an answer, in bytes: an event of a watch, or a page of a hundred objects.
const MAX_LINE: usize = 64 << 20;

/// An answer with a line that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API server's answer has a line of more than {MAX_LINE} bytes")]
pub struct TooLong;

/// A body that fails at a line that is too long, before it is held in memory whole.
#[derive(Debug)]
pub struct Limited<B> {
    inner: B,
    /// Bytes since the last end of a line.
    line: usize,
}

impl<B> Limited<B> {
    /// Limits a body.
    pub fn new(inner: B) -> Self {
        Self { inner, line: 0 }
    }

    fn check(&mut self, data: &[u8]) -> Result<(), TooLong> {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.line += piece.len();
            if self.line > MAX_LINE {
                return Err(TooLong);
            }
            if piece.ends_with(b"\n") {
                self.line = 0;
            }
        }
        Ok(())
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let checked = frame.data_ref().map_or(Ok(()), |data| this.check(data));
        Poll::Ready(Some(checked.map(|()| frame).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;

    /// Reads a body of these pieces; returns how many came through.
    async fn read(pieces: impl Iterator<Item = Bytes>) -> Result<usize, BoxError> {
        let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let mut body = Limited::new(StreamBody::new(futures::stream::iter(frames)));
        let mut count = 0;
        while let Some(frame) = body.frame().await {
            frame?;
            count += 1;
        }
        Ok(count)
    }

    #[tokio::test]
    async fn a_line_without_end_is_an_error_and_many_lines_are_none() {
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let error = read(std::iter::repeat_n(piece.clone(), 65)).await.unwrap_err();
        assert!(error.is::<TooLong>(), "{error}");
        let lines = (0..200).map(|i| if i % 50 == 49 { Bytes::from_static(b"x\n") } else { piece.clone() });
        assert_eq!(read(lines).await.unwrap(), 200);
    }
}
