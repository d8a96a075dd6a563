//! Numbers in comments are those of the acceptance cases of the specification.

mod held;
mod loopback;
mod wire;
