//! gRPC errors as text, in the form that scripts know.

use super::connect::root;
use std::error::Error as _;
use tonic::{Code, Status};

/// `rpc error: code = NotFound desc = …`.
pub fn rpc_error(status: &Status) -> String {
    format!("rpc error: code = {} desc = {}", name(status.code()), message(status))
}

/// What went wrong, with the cause when it went wrong on the way to the server.
pub fn message(status: &Status) -> String {
    match status.source() {
        Some(cause) => format!("{}: {}", status.message(), root(cause)),
        None => status.message().to_owned(),
    }
}

/// An answer that did not come in time.
pub fn no_answer(limit: std::time::Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs()))
}

fn name(code: Code) -> String {
    match code {
        Code::Ok => "OK".to_owned(),
        Code::Cancelled => "Canceled".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_other_implementations() {
        let shown = rpc_error(&Status::not_found("unknown server"));
        assert_eq!(shown, "rpc error: code = NotFound desc = unknown server");
        assert_eq!(rpc_error(&Status::cancelled("")), "rpc error: code = Canceled desc = ");
    }
}
