//! Durations as the command line takes them.

use std::time::Duration;

/// A text that is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// Not a whole number with a unit.
    #[error("use a whole number and a unit: ms, s, m, h or d, such as 10s")]
    Form,
    /// Longer than can be counted.
    #[error("it is too long")]
    Overflow,
}

/// Reads `10s`, `500ms`, `2d` and the like; 0 needs no unit.
///
/// # Errors
/// For everything else.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(InvalidDuration::Form);
    }
    let number: u64 = number.parse().map_err(|_| InvalidDuration::Overflow)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        "" if number == 0 => 1,
        _ => return Err(InvalidDuration::Form),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or(InvalidDuration::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    // case 20
    #[test]
    fn whole_numbers_with_a_unit() {
        let two_minutes = Ok(Duration::from_secs(120));
        for text in ["120s", "120000ms", "2m", " 2m "] {
            assert_eq!(parse(text), two_minutes, "{text}");
        }
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
        for text in ["0", "00", "0s"] {
            assert_eq!(parse(text), Ok(Duration::ZERO), "{text}");
        }
    }

    // case 20
    #[test]
    fn everything_else_is_rejected() {
        for text in ["120", "s", "", "foobars", "-1s", "+1s", "1.5s", "1m30s", "1 s", "1S", "٣s"] {
            assert_eq!(parse(text), Err(InvalidDuration::Form), "{text}");
        }
        for text in ["18446744073709551615s", "18446744073709551616ms"] {
            assert_eq!(parse(text), Err(InvalidDuration::Overflow), "{text}");
        }
    }
}
