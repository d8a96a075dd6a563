//! Ports: by number or name, and sets of them as written in annotations.

use serde::Deserialize;
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// A port by number or name, as `targetPort` and Server ports are written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum PortName {
    /// A number.
    Number(u16),
    /// A name; a number in quotes is a name too.
    Name(String),
}

impl Default for PortName {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A set of port numbers, as ranges in order without overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet(Vec<(u16, u16)>);

/// Why a text is no set of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{item:?} is neither a port from 1 to 65535 nor a range LOW-HIGH of such ports")]
pub struct InvalidPort {
    /// The item at fault.
    pub item: String,
}

impl PortSet {
    /// Whether the set has this port.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&port))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges of the set, in order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        self.0.iter().map(|(low, high)| *low..=*high)
    }

    /// Reads the items that are well formed and hands the others to `on_invalid`.
    ///
    /// `named` resolves an item that is a port's name, which wins over reading it as a number. Unlike in
    /// a strict set, a range may start at 0.
    pub fn parse_lenient(
        text: &str,
        named: impl Fn(&str) -> Vec<u16>,
        mut on_invalid: impl FnMut(InvalidPort),
    ) -> Self {
        let mut ranges = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let ports = named(item);
            if !ports.is_empty() {
                ranges.extend(ports.into_iter().map(|port| (port, port)));
                continue;
            }
            match parse_item(item, 0) {
                Ok(range) => ranges.push(range),
                Err(error) => on_invalid(error),
            }
        }
        Self::from_ranges(ranges)
    }

    fn from_ranges(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if u32::from(low) <= u32::from(last.1) + 1 => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        Self::from_ranges(ports.into_iter().map(|port| (port, port)).collect())
    }
}

/// Strict: one bad item makes the whole text invalid. Empty items are skipped.
impl FromStr for PortSet {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, InvalidPort> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(Self::from_ranges(items.map(|item| parse_item(item, 1)).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (low, high)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if low == high { write!(f, "{comma}{low}")? } else { write!(f, "{comma}{low}-{high}")? }
        }
        Ok(())
    }
}

fn parse_item(item: &str, lowest: u16) -> Result<(u16, u16), InvalidPort> {
    let invalid = || InvalidPort { item: item.to_owned() };
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port >= lowest).ok_or_else(invalid);
    let (low, high) = match item.split_once('-') {
        Some((low, high)) => (number(low)?, number(high)?),
        None => (number(item)?, number(item)?),
    };
    if low <= high { Ok((low, high)) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_form_a_set() {
        let set: PortSet = "4,1-2, 80 ,".parse().unwrap();
        assert!(set.contains(1) && set.contains(2) && set.contains(4) && set.contains(80));
        assert!(!set.contains(3));
        assert_eq!(set.to_string(), "1-2,4,80");
    }

    #[test]
    fn one_bad_item_makes_a_strict_set_invalid() {
        for bad in ["80,foo", "2-1", "0", "65537", "-25"] {
            assert!(bad.parse::<PortSet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lenient_set_keeps_the_good_items_and_resolves_names() {
        let mut bad = Vec::new();
        let named = |name: &str| if name == "mysql" { vec![3306] } else { vec![] };
        let set = PortSet::parse_lenient("mysql,4320-4325,x,70000,0-9", named, |error| bad.push(error.item));
        assert!(set.contains(3306) && set.contains(4322) && set.contains(9));
        assert_eq!(bad, ["x", "70000"]);
    }

    #[test]
    fn overlapping_ranges_merge() {
        assert_eq!("1-10,5-20,21,65535".parse::<PortSet>().unwrap().to_string(), "1-21,65535");
    }
}
