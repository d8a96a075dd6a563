//! The step from one set of endpoints to another.

use super::filter::Entry;
use std::{cmp::Ordering, net::SocketAddr};

/// What a client that has one set must be told to have another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Endpoints that are new or changed, by their position in the new set.
    pub added: Vec<usize>,
    /// Addresses that are gone.
    pub removed: Vec<SocketAddr>,
    /// Whether some of the added were there before, and changed.
    pub has_changed: bool,
}

impl Step {
    /// Compares two sets, both in the order of addresses.
    pub fn between(old: &[Entry], new: &[Entry]) -> Self {
        let mut step = Self::default();
        let (mut i, mut j) = (0, 0);
        while i < old.len() || j < new.len() {
            let order = match (old.get(i), new.get(j)) {
                (Some(old), Some(new)) => old.address.cmp(&new.address),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            match order {
                Ordering::Less => step.removed.push(old[i].address),
                Ordering::Greater => step.added.push(j),
                Ordering::Equal if !is_same(&old[i], &new[j]) => {
                    step.added.push(j);
                    step.has_changed = true;
                }
                Ordering::Equal => {}
            }
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
        }
        step
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Whether endpoints only joined: a client that does not know of it yet makes no mistake.
    pub fn only_adds(&self) -> bool {
        self.removed.is_empty() && !self.has_changed
    }
}

/// Most endpoints are shared between sets, which is quick to see.
fn is_same(old: &Entry, new: &Entry) -> bool {
    old.locality == new.locality
        && old.labels == new.labels
        && (std::sync::Arc::ptr_eq(&old.endpoint, &new.endpoint) || old.endpoint == new.endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::endpoint::{Endpoint, Locality};
    use std::sync::Arc;

    fn entries(addresses: &[(&str, bool)]) -> Vec<Entry> {
        let entry = |(address, http2): &(&str, bool)| Entry {
            address: address.parse().unwrap(),
            locality: Locality::Unknown,
            endpoint: Arc::new(Endpoint { http2: *http2, ..Endpoint::default() }),
            labels: None,
        };
        addresses.iter().map(entry).collect()
    }

    #[test]
    fn a_step_tells_what_is_new_changed_and_gone() {
        let old = entries(&[("10.0.0.1:80", false), ("10.0.0.2:80", false), ("10.0.0.3:80", false)]);
        let new =
            entries(&[("10.0.0.0:80", false), ("10.0.0.2:80", true), ("10.0.0.3:80", false), ("[::1]:80", false)]);
        let step = Step::between(&old, &new);
        assert_eq!(step.added, [0, 1, 3]);
        assert_eq!(step.removed, ["10.0.0.1:80".parse().unwrap()]);
        assert!(step.has_changed && !step.only_adds());
    }

    #[test]
    fn equal_sets_have_no_step_between_them() {
        let set = [("10.0.0.1:80", false), ("[::1]:80", true)];
        assert!(Step::between(&entries(&set), &entries(&set)).is_empty());
        assert!(Step::between(&[], &entries(&set)).only_adds());
    }
}
