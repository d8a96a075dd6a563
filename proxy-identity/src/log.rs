//! Log lines on standard error, in the form of the proxy image's other programs.

use jiff::Timestamp;

/// The last line of a process that gives up.
pub fn fatal(message: &str) {
    eprintln!("{}", line("fatal", message, Timestamp::now()));
}

/// Something that an operator may want to know.
pub fn info(message: &str) {
    eprintln!("{}", line("info", message, Timestamp::now()));
}

/// One line, whatever the message holds.
fn line(level: &str, message: &str, time: Timestamp) -> String {
    format!(r#"time="{}" level={level} msg={message:?}"#, time.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_always_one_line() {
        assert_eq!(
            line("fatal", "no \"name\"\nat all", Timestamp::UNIX_EPOCH),
            r#"time="1970-01-01T00:00:00Z" level=fatal msg="no \"name\"\nat all""#
        );
    }
}
