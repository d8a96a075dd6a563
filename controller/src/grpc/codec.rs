//! A codec that decodes requests and passes encoded answers through.

use bytes::{BufMut, Bytes};
use prost::Message;
use std::marker::PhantomData;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Bytes that a stream's encode buffer has at first. The default of 8 KiB would be most of what an idle
/// stream costs.
const BUFFER: usize = 256;

/// Encoded bytes at which a stream yields to its connection.
const YIELD: usize = 32 * 1024;

pub(super) struct EncodedCodec<Req>(PhantomData<fn() -> Req>);

impl<Req> Default for EncodedCodec<Req> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Req: Message + Default + 'static> Codec for EncodedCodec<Req> {
    type Encode = Bytes;
    type Decode = Req;
    type Encoder = PassThrough;
    type Decoder = Decode<Req>;

    fn encoder(&mut self) -> PassThrough {
        PassThrough
    }

    fn decoder(&mut self) -> Decode<Req> {
        Decode(PhantomData)
    }
}

pub(super) struct PassThrough;

impl Encoder for PassThrough {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.len());
        buffer.put(message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, YIELD)
    }
}

pub(super) struct Decode<Req>(PhantomData<fn() -> Req>);

impl<Req: Message + Default + 'static> Decoder for Decode<Req> {
    type Item = Req;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Req>, Status> {
        Req::decode(buffer)
            .map(Some)
            .map_err(|error| Status::invalid_argument(format!("cannot decode the request: {error}")))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, YIELD)
    }
}
