//! The two grammars of durations in manifests.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// Not a number, or nothing at all.
    #[error("time: invalid duration {0:?}")]
    Malformed(String),
    /// A number other than 0 without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// A Go duration: an optional sign, then numbers with units, such as `1h15m30.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration {
    /// Whether the sign is minus and the length is not zero.
    pub is_negative: bool,
    /// Length without sign.
    pub length: Duration,
}

/// Reads a Go duration. Units are `ns`, `us` (or `µs`), `ms`, `s`, `m` and `h`; a bare `0` needs none.
///
/// # Errors
/// The text, as Go's `time.ParseDuration` words it.
pub fn parse_go(text: &str) -> Result<GoDuration, InvalidDuration> {
    let malformed = || InvalidDuration::Malformed(text.to_owned());
    let (is_negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(GoDuration { is_negative: false, length: Duration::ZERO });
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(malformed());
        }
        if unit.is_empty() {
            return Err(InvalidDuration::MissingUnit(text.to_owned()));
        }
        let scale = go_unit(unit)
            .ok_or_else(|| InvalidDuration::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })?;
        let part = decimal_nanos(whole, fraction, scale).ok_or_else(malformed)?;
        nanos = nanos.checked_add(part).ok_or_else(malformed)?;
        rest = tail;
    }
    let limit = i64::MAX as u128;
    let length = u64::try_from(nanos.min(limit + 1)).ok().filter(|_| nanos <= limit).ok_or_else(malformed)?;
    Ok(GoDuration { is_negative: is_negative && length > 0, length: Duration::from_nanos(length) })
}

fn go_unit(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn decimal_nanos(whole: &str, fraction: &str, scale: u64) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = &fraction[..fraction.len().min(18)];
    let numerator: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let part = numerator.checked_mul(u128::from(scale))? / 10_u128.pow(digits.len() as u32);
    whole.checked_mul(u128::from(scale))?.checked_add(part)
}

/// Reads a duration as the proxy and annotations write it: one unsigned integer with `ms`, `s`, `m`,
/// `h` or `d`, or a bare `0`. White space around it is trimmed.
///
/// Returns `None` for anything else, and for lengths over 2^64 milliseconds.
pub fn parse_single_unit(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let scale: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_add_up() {
        let length = |text: &str| parse_go(text).unwrap().length;
        assert_eq!(length("1h15m30.5s"), Duration::from_millis(4_530_500));
        assert_eq!(length("6s5ms"), Duration::from_millis(6_005));
        assert_eq!(length("1ns"), Duration::from_nanos(1));
        assert_eq!(length(".5s"), Duration::from_millis(500));
        assert_eq!(length("0"), Duration::ZERO);
        assert!(parse_go("-5s").unwrap().is_negative);
    }

    #[test]
    fn bad_go_durations_say_what_is_wrong() {
        let error = |text: &str| parse_go(text).unwrap_err().to_string();
        assert_eq!(error("foo"), r#"time: invalid duration "foo""#);
        assert_eq!(error(""), r#"time: invalid duration """#);
        assert_eq!(error("5"), r#"time: missing unit in duration "5""#);
        assert_eq!(error("5x"), r#"time: unknown unit "x" in duration "5x""#);
        assert_eq!(error("1.2.3s"), r#"time: invalid duration "1.2.3s""#);
        assert!(parse_go("9999999999h").is_err());
    }

    #[test]
    fn single_unit_durations_are_integers_with_one_unit() {
        for (text, millis) in [("10s", 10_000), ("500ms", 500), ("5m", 300_000), ("1d", 86_400_000), ("0", 0)] {
            assert_eq!(parse_single_unit(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["5", "0.5s", "-5s", "10x", "", "1m30s", "999999999999999999d"] {
            assert_eq!(parse_single_unit(bad), None, "{bad}");
        }
    }
}
