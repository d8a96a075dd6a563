//! Which iptables programs to run.

use std::fmt;

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Flavour of the iptables programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The kernel's older packet filter.
    Legacy,
    /// nftables.
    Nft,
    /// Whatever the system's `iptables` is.
    Plain,
}

/// The programs of one flavour and IP version, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Changes single rules. Never run, but named in what is logged.
    pub rules: String,
    /// Prints the rules.
    pub save: String,
    /// Changes many rules at once.
    pub restore: String,
}

impl Programs {
    /// The programs of a flavour.
    pub fn of(family: Family, mode: Mode) -> Self {
        let stem = match family {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        };
        let rules = match mode {
            Mode::Legacy => format!("{stem}-legacy"),
            Mode::Nft => format!("{stem}-nft"),
            Mode::Plain => stem.to_owned(),
        };
        Self { save: format!("{rules}-save"), restore: format!("{rules}-restore"), rules }
    }
}

/// The programs to run, and how they came to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Those that were asked for.
    Requested(Programs),
    /// Those that were asked for are not there.
    Fallback {
        /// What was asked for.
        requested: Programs,
        /// What is there.
        found: Programs,
    },
    /// None are there; those that were asked for will fail.
    Missing(Programs),
}

impl Choice {
    /// Chooses the programs of `mode`, else the first flavour that is there.
    pub fn make(family: Family, mode: Mode, on_path: impl Fn(&str) -> bool) -> Self {
        let complete = |programs: &Programs| on_path(&programs.rules) && on_path(&programs.save);
        let requested = Programs::of(family, mode);
        if complete(&requested) {
            return Self::Requested(requested);
        }
        let mut others = [Mode::Nft, Mode::Plain, Mode::Legacy].map(|mode| Programs::of(family, mode)).into_iter();
        match others.find(complete) {
            Some(found) => Self::Fallback { requested, found },
            None => Self::Missing(requested),
        }
    }

    /// The programs to run.
    pub fn programs(&self) -> &Programs {
        match self {
            Self::Requested(programs) | Self::Fallback { found: programs, .. } | Self::Missing(programs) => programs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(family: Family, mode: Mode, present: &[&str]) -> Choice {
        Choice::make(family, mode, |name| present.contains(&name))
    }

    // case 12
    #[test]
    fn programs_that_are_there_stand_in_for_those_that_are_not() {
        let present = ["iptables-nft", "iptables-nft-save", "ip6tables-legacy", "ip6tables-legacy-save"];
        assert!(matches!(chosen(Family::V4, Mode::Nft, &present), Choice::Requested(_)));
        let choice = chosen(Family::V6, Mode::Nft, &present);
        assert!(matches!(choice, Choice::Fallback { .. }));
        assert_eq!(choice.programs().rules, "ip6tables-legacy");
        let choice = chosen(Family::V6, Mode::Nft, &present[..2]);
        assert_eq!(choice, Choice::Missing(Programs::of(Family::V6, Mode::Nft)));
    }

    #[test]
    fn a_flavour_counts_only_with_its_save_program_and_the_newest_comes_first() {
        let present =
            ["iptables-legacy", "iptables", "iptables-save", "iptables-nft", "iptables-nft-save", "iptables-legacy-x"];
        assert_eq!(chosen(Family::V4, Mode::Legacy, &present).programs().rules, "iptables-nft");
        assert_eq!(chosen(Family::V4, Mode::Legacy, &present[..3]).programs().rules, "iptables");
    }
}
