//! Durations that reach a program's command line or environment.
//!
//! Values and annotations are written as Go durations (`1m30s`); the proxy reads one unsigned
//! integer with one unit. Conversion is in integers, and what would be lost by it is refused.

use linkerd_k8s::duration::{parse_go, parse_single_unit};

/// Unit in which a duration is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole milliseconds.
    Millis,
    /// Whole seconds.
    Seconds,
}

/// A duration that cannot be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTimeout(&'static str);

impl InvalidTimeout {
    /// What a valid text looks like.
    pub fn expected(self) -> &'static str {
        self.0
    }
}

/// Reads a Go duration as a whole number of units, the remainder cut off.
///
/// # Errors
/// The text is malformed, negative, or above zero but below one unit.
pub fn whole(text: &str, unit: Unit) -> Result<u64, InvalidTimeout> {
    let expected = InvalidTimeout(match unit {
        Unit::Millis => "a duration of at least 1ms, such as 300ms or 1m30s",
        Unit::Seconds => "a duration of at least 1s, such as 5s or 1m30s",
    });
    let duration = parse_go(text).map_err(|_| expected)?;
    let count = match unit {
        Unit::Millis => duration.length.as_millis(),
        Unit::Seconds => duration.length.as_secs().into(),
    };
    if duration.is_negative || (count == 0 && !duration.length.is_zero()) {
        return Err(expected);
    }
    u64::try_from(count).map_err(|_| expected)
}

/// Reads a Go duration and writes it as the proxy does, in the given unit.
///
/// # Errors
/// As [`whole`].
pub fn in_unit(text: &str, unit: Unit) -> Result<String, InvalidTimeout> {
    let suffix = match unit {
        Unit::Millis => "ms",
        Unit::Seconds => "s",
    };
    Ok(format!("{}{suffix}", whole(text, unit)?))
}

/// Rewrites a duration for the proxy: what it can read stays as it is, a Go duration is converted.
///
/// # Errors
/// Neither of the two, negative, or finer than a millisecond.
pub fn for_proxy(text: &str) -> Result<String, InvalidTimeout> {
    let trimmed = text.trim();
    if parse_single_unit(trimmed).is_some() { Ok(trimmed.to_owned()) } else { in_unit(trimmed, Unit::Millis) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Acceptance cases 36 and 37.
    #[test]
    fn composite_durations_become_one_integer() {
        assert_eq!(in_unit("6s5ms", Unit::Millis).unwrap(), "6005ms");
        assert_eq!(in_unit("6s5000ms", Unit::Seconds).unwrap(), "11s");
        assert_eq!(in_unit("50000ms", Unit::Seconds).unwrap(), "50s");
        assert_eq!(in_unit("1500ms", Unit::Seconds).unwrap(), "1s");
        assert_eq!(in_unit("0", Unit::Millis).unwrap(), "0ms");
    }

    #[test]
    fn what_conversion_would_lose_or_break_is_refused() {
        for bad in ["6000", "-5s", "500us", "", "x", "1d"] {
            assert!(in_unit(bad, Unit::Millis).is_err(), "{bad}");
        }
        assert!(in_unit("300ms", Unit::Seconds).is_err());
    }

    #[test]
    fn the_proxy_reads_what_it_is_given() {
        for (text, expected) in
            [("100ms", "100ms"), ("365d", "365d"), ("1m30s", "90000ms"), ("1.5s", "1500ms"), ("0", "0")]
        {
            assert_eq!(for_proxy(text).unwrap(), expected);
        }
        for bad in ["", "-1s", "5", "1ns"] {
            assert!(for_proxy(bad).is_err(), "{bad}");
        }
    }
}
