//! Objects by address.

use crate::core::key::Key;
use std::{collections::HashMap, net::IpAddr};

/// Which objects have an address, in the order of their names.
#[derive(Debug, Default)]
pub struct ByAddress(HashMap<IpAddr, Vec<Key>>);

impl ByAddress {
    /// Replaces the addresses of an object.
    pub fn replace(&mut self, key: &Key, old: &[IpAddr], new: &[IpAddr]) {
        for ip in old.iter().filter(|ip| !new.contains(ip)) {
            self.remove(*ip, key);
        }
        for ip in new.iter().filter(|ip| !old.contains(ip)) {
            let keys = self.0.entry(*ip).or_insert_with(|| Vec::with_capacity(1));
            if let Err(position) = keys.binary_search(key) {
                keys.insert(position, key.clone());
            }
        }
    }

    fn remove(&mut self, ip: IpAddr, key: &Key) {
        let Some(keys) = self.0.get_mut(&ip) else { return };
        keys.retain(|known| known != key);
        if keys.is_empty() {
            self.0.remove(&ip);
        }
    }

    /// The objects that have an address.
    pub fn at(&self, ip: IpAddr) -> &[Key] {
        self.0.get(&ip).map(Vec::as_slice).unwrap_or_default()
    }
}
