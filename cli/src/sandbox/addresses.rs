//! Addresses of pods and Services on this machine's loopback network.
//!
//! Each is drawn from the name of its object, so that it stays the same through edits of other objects
//! and restarts of the sandbox, and a proxy that runs as a pod keeps its address.

use sha2::{Digest, Sha256};
use std::{collections::HashMap, net::Ipv4Addr};

/// A part of 127.0.0.0/8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Cluster addresses of Services: 127.16.0.0/12.
    Services,
    /// Addresses of pods: 127.64.0.0/10.
    Pods,
}

impl Range {
    const fn first(self) -> u32 {
        match self {
            Self::Services => u32::from_be_bytes([127, 16, 0, 0]),
            Self::Pods => u32::from_be_bytes([127, 64, 0, 0]),
        }
    }

    const fn size(self) -> u32 {
        match self {
            Self::Services => 1 << 20,
            Self::Pods => 1 << 22,
        }
    }
}

/// Hands out addresses; no two objects get the same one.
#[derive(Debug, Default)]
pub struct Addresses {
    taken: HashMap<Ipv4Addr, String>,
}

impl Addresses {
    /// Keeps an address that a manifest names from being handed out.
    pub fn reserve(&mut self, address: Ipv4Addr, name: &str) {
        self.taken.insert(address, name.to_owned());
    }

    /// The address of an object. Two objects whose names draw the same address get neighbours, in the
    /// order of the calls.
    pub fn draw(&mut self, range: Range, name: &str) -> Ipv4Addr {
        let digest = Sha256::digest(name.as_bytes());
        let drawn = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let mut candidate = drawn % range.size();
        loop {
            let address = Ipv4Addr::from(range.first() + candidate);
            let is_usable = !matches!(address.octets()[3], 0 | 255) && !self.taken.contains_key(&address);
            if is_usable {
                self.taken.insert(address, name.to_owned());
                return address;
            }
            candidate = (candidate + 1) % range.size();
        }
    }
}

/// A UID that is always the same for the same object.
pub fn uid(kind: &str, namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{kind}/{namespace}/{name}").as_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts = [&digest[0..4], &digest[4..6], &digest[6..8], &digest[8..10], &digest[10..16]];
    parts.map(hex).join("-")
}

/// A short suffix like those of pods' names, always the same for the same text.
pub fn suffix(text: &str, length: usize) -> String {
    // The letters that Kubernetes uses: no vowels, so that no words come about.
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(length).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_depends_on_the_name_alone() {
        let (mut one, mut other) = (Addresses::default(), Addresses::default());
        let web = one.draw(Range::Pods, "emojivoto/web-1");
        other.draw(Range::Pods, "emojivoto/emoji-1");
        assert_eq!(web, other.draw(Range::Pods, "emojivoto/web-1"));
        assert!(web.octets()[0] == 127 && (64..128).contains(&web.octets()[1]));
        assert_ne!(one.draw(Range::Services, "emojivoto/web-1").octets()[1] & 0xf0, 64);
    }

    #[test]
    fn a_taken_address_is_not_handed_out_again() {
        let mut addresses = Addresses::default();
        let web = addresses.draw(Range::Pods, "web");
        assert_ne!(addresses.draw(Range::Pods, "web"), web);
        let mut fresh = Addresses::default();
        fresh.reserve(web, "other");
        assert_ne!(fresh.draw(Range::Pods, "web"), web);
    }
}
