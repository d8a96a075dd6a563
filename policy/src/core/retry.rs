//! Retries of HTTP requests, as annotations ask for them.

use std::{num::NonZero, str::FromStr, time::Duration};

/// When and how often a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpRetry {
    /// Most times that a request is sent again.
    pub limit: NonZero<u16>,
    /// Longest time of one try.
    pub timeout: Option<Duration>,
    /// Statuses of responses that are tried again.
    pub statuses: StatusRanges,
}

/// Ranges of HTTP statuses, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusRanges(pub Vec<(u16, u16)>);

/// A text that is no list of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid retry condition: {0}")]
pub struct InvalidStatus(pub String);

/// Items `5xx`, `gateway-error`, `NNN` and `NNN-MMM`, joined by commas without spaces.
impl FromStr for StatusRanges {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let ranges = text.split(',').map(|item| range(item).ok_or_else(|| InvalidStatus(text.to_owned())));
        Ok(Self(ranges.collect::<Result<_, _>>()?))
    }
}

fn range(item: &str) -> Option<(u16, u16)> {
    if item.eq_ignore_ascii_case("5xx") {
        return Some((500, 599));
    }
    if item.eq_ignore_ascii_case("gateway-error") {
        return Some((502, 504));
    }
    let (start, end) = item.split_once('-').unwrap_or((item, item));
    let (start, end) = (status(start)?, status(end)?);
    (start <= end).then_some((start, end))
}

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (100..=599).contains(status) && text.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 53.
    #[test]
    fn statuses_are_single_ranges_or_classes() {
        let ranges = "5xx,gateway-error,404,500-502".parse::<StatusRanges>().unwrap();
        assert_eq!(ranges.0, [(500, 599), (502, 504), (404, 404), (500, 502)]);
        assert_eq!("5XX".parse::<StatusRanges>().unwrap().0, [(500, 599)]);
        for bad in ["99", "600", "502-500", "5xx, 404", "abc", "", "+404", "404,"] {
            assert!(bad.parse::<StatusRanges>().is_err(), "{bad}");
        }
    }
}
