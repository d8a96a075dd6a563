//! Lists of ports to ignore, and the groups in which iptables takes them.

use std::fmt;

/// Ports that the `multiport` match takes in one rule; a range takes the place of two.
const GROUP: usize = 15;

/// A port, or a range of ports with both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    low: u16,
    high: u16,
}

/// An entry of a list that is neither a port nor a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid port configuration of {entry:?}: {reason}")]
pub struct InvalidPort {
    entry: String,
    reason: String,
}

impl PortRange {
    /// Reads `8080` or `8000-8010`; spaces around it do no harm.
    ///
    /// # Errors
    /// When it is something else, or a port lies outside 0 to 65535.
    pub fn parse(entry: &str) -> Result<Self, InvalidPort> {
        let invalid = |reason| InvalidPort { entry: entry.to_owned(), reason };
        let mut bounds = entry.trim().split('-');
        let (Some(low), high, None) = (bounds.next(), bounds.next(), bounds.next()) else {
            return Err(invalid("ranges expected as <lower>-<upper>".to_owned()));
        };
        let low = number(low).ok_or_else(|| invalid(format!("{low:?} is not a valid lower-bound")))?;
        let high = match high {
            Some(high) => number(high).ok_or_else(|| invalid(format!("{high:?} is not a valid upper-bound")))?,
            None => low,
        };
        if low > high {
            return Err(invalid(format!("{entry:?}: upper-bound must be greater than or equal to lower-bound")));
        }
        Ok(Self { low, high })
    }

    fn places(self) -> usize {
        if self.low == self.high { 1 } else { 2 }
    }
}

fn number(text: &str) -> Option<u16> {
    // `parse` would take a plus sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// As iptables writes it.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high { self.low.fmt(f) } else { write!(f, "{}:{}", self.low, self.high) }
    }
}

/// Reads comma lists, one for each time that the flag was given. An entry of nothing, as after a
/// trailing comma, asks for nothing.
///
/// # Errors
/// Every entry that is no port and no range.
pub fn parse_list(texts: &[String]) -> Result<Vec<PortRange>, Vec<InvalidPort>> {
    let (mut ranges, mut invalid) = (Vec::new(), Vec::new());
    for entry in texts.iter().flat_map(|text| text.split(',')).filter(|entry| !entry.trim().is_empty()) {
        match PortRange::parse(entry) {
            Ok(range) => ranges.push(range),
            Err(error) => invalid.push(error),
        }
    }
    if invalid.is_empty() { Ok(ranges) } else { Err(invalid) }
}

/// Divides ports into lists that one rule each can match, in the given order.
pub fn groups(ranges: &[PortRange]) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    let mut places = GROUP;
    for range in ranges {
        places += range.places();
        match groups.last_mut() {
            Some(group) if places <= GROUP => {
                group.push(',');
                group.push_str(&range.to_string());
            }
            _ => {
                groups.push(range.to_string());
                places = range.places();
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(list: &str) -> Vec<String> {
        groups(&parse_list(&[list.to_owned()]).unwrap())
    }

    // case 5
    #[test]
    fn ports_and_ranges_share_a_rule() {
        assert_eq!(grouped("22,25-27,33"), ["22,25:27,33"]);
        assert_eq!(grouped("22-22"), ["22"]);
        assert_eq!(grouped(""), [""; 0]);
    }

    // case 6
    #[test]
    fn a_rule_takes_fifteen_ports_and_a_range_counts_twice() {
        let full = "22-23,25-27,33-34,35-35,37-38,50-54,56-57,60-63";
        let group = "22:23,25:27,33:34,35,37:38,50:54,56:57,60:63";
        assert_eq!(grouped(full), [group]);
        assert_eq!(grouped(&format!("{full},70-72")), [group, "70:72"]);
        assert_eq!(grouped(&format!("{full},70")), [group, "70"]);
        // A range that would be the fifteenth and sixteenth starts a new group.
        let fourteen = (1..=14).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(grouped(&format!("{fourteen},80-90,7")), [fourteen.as_str(), "80:90,7"]);
    }

    // cases 5 and 43; spaces are forgiven, since the intention is plain
    #[test]
    fn every_bad_entry_is_told_with_its_reason() {
        let list = "not-a-number,27-25,1-2-3,65536,http,5-x,+80,-1".to_owned();
        let told: Vec<_> = parse_list(&[list]).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                r#"invalid port configuration of "not-a-number": ranges expected as <lower>-<upper>"#,
                r#"invalid port configuration of "27-25": "27-25": upper-bound must be greater than or equal to lower-bound"#,
                r#"invalid port configuration of "1-2-3": ranges expected as <lower>-<upper>"#,
                r#"invalid port configuration of "65536": "65536" is not a valid lower-bound"#,
                r#"invalid port configuration of "http": "http" is not a valid lower-bound"#,
                r#"invalid port configuration of "5-x": "x" is not a valid upper-bound"#,
                r#"invalid port configuration of "+80": "+80" is not a valid lower-bound"#,
                r#"invalid port configuration of "-1": "" is not a valid lower-bound"#,
            ]
        );
    }

    // case 43
    #[test]
    fn the_ends_of_the_range_and_repetitions_are_kept() {
        assert_eq!(grouped("0,65535,80,80, 22 ,,"), ["0,65535,80,80,22"]);
    }
}
