//! Messages on the wire: a flag, a length and the bytes.

use axum::body::Body;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use prost::Message;
use tonic::Status;

/// Bytes before a message: whether it is compressed, and its length.
pub(super) const PREFIX: usize = 5;

/// Reads the only message of a request, of up to `limit` bytes.
pub(super) async fn read<Req: Message + Default>(mut body: Body, limit: usize) -> Result<Req, Status> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::cancelled(format!("the request was cut off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        check_length(&bytes, &data, limit)?;
        bytes.extend_from_slice(&data);
    }
    let (flag, length) = prefix(&bytes).ok_or_else(|| Status::internal("the request has no message"))?;
    if flag != 0 {
        return Err(Status::unimplemented("compressed requests are not read; send them as they are"));
    }
    bytes.advance(PREFIX);
    if bytes.len() != length {
        let (has, says) = (bytes.len(), length);
        return Err(Status::internal(format!("the request says that it has {says} bytes, and has {has}")));
    }
    Req::decode(bytes.freeze()).map_err(|error| Status::invalid_argument(format!("cannot decode the request: {error}")))
}

/// A request is refused by what it says of itself, before all of it has come.
fn check_length(bytes: &[u8], more: &[u8], limit: usize) -> Result<(), Status> {
    let has = (bytes.len() + more.len()).saturating_sub(PREFIX);
    let says = prefix(if bytes.is_empty() { more } else { bytes }).map_or(0, |(_, length)| length);
    let length = has.max(says);
    if length > limit {
        let message = format!("the request has {length} bytes; requests of up to {limit} bytes are read");
        return Err(Status::resource_exhausted(message));
    }
    Ok(())
}

fn prefix(mut bytes: &[u8]) -> Option<(u8, usize)> {
    if bytes.len() < PREFIX {
        return None;
    }
    let flag = bytes.get_u8();
    Some((flag, usize::try_from(bytes.get_u32()).ok()?))
}

/// The prefix of a message, in a buffer with room for more.
///
/// # Errors
/// When the message is longer than the protocol can say.
pub(super) fn begin(message: &Bytes, room: usize) -> Result<BytesMut, Status> {
    let length = u32::try_from(message.len()).map_err(|_| Status::internal("the answer is longer than 4 GiB"))?;
    let mut buffer = BytesMut::with_capacity(PREFIX + room);
    buffer.put_u8(0);
    buffer.put_u32(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Duration;
    use tonic::Code;

    async fn parsed(chunks: &[&[u8]]) -> Result<Duration, Code> {
        let chunks: Vec<_> =
            chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
        let body = Body::from_stream(futures::stream::iter(chunks));
        read(body, 16).await.map_err(|status| status.code())
    }

    #[tokio::test]
    async fn a_message_may_come_in_any_pieces() {
        let message = Duration { seconds: 5, nanos: 0 };
        let whole = [&[0, 0, 0, 0, 2][..], &message.encode_to_vec()].concat();
        assert_eq!(parsed(&[&whole]).await, Ok(message));
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(parsed(&bytes).await, Ok(message));
        assert_eq!(parsed(&[&[0, 0, 0, 0, 0]]).await, Ok(Duration::default()));
    }

    #[tokio::test]
    async fn what_is_no_message_has_a_code_of_its_own() {
        assert_eq!(parsed(&[]).await, Err(Code::Internal));
        assert_eq!(parsed(&[&[0, 0, 0, 0, 2, 8]]).await, Err(Code::Internal));
        assert_eq!(parsed(&[&[1, 0, 0, 0, 0]]).await, Err(Code::Unimplemented));
        assert_eq!(parsed(&[&[0, 0, 0, 0, 1, 0xff]]).await, Err(Code::InvalidArgument));
        // By what it says, or by what it sends.
        assert_eq!(parsed(&[&[0, 0xff, 0xff, 0xff, 0xff]]).await, Err(Code::ResourceExhausted));
        assert_eq!(parsed(&[&[0, 0, 0, 0, 1], &[0; 17]]).await, Err(Code::ResourceExhausted));
    }
}
