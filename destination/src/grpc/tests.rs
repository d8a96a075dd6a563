//! Tests of what is on the wire.

mod messages;
mod server;
