//! Free loopback ports for servers that must be told theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};
use rand::Rng;

/// Below the range that outgoing connections take theirs from. In that range, a client that
/// retries while its server is down can be given the server's port as its own: it then connects
/// to itself, and the server cannot start again.
const FIRST: u16 = 10_240;
const COUNT: u16 = 20_000;

/// A loopback port that nothing listens on, and that this process has not been given before.
pub fn free() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(u16::MAX);
    // Processes start at different places, so that two at once rarely try the same port.
    let start = rand::rng().random_range(0..COUNT);
    let _ = NEXT.compare_exchange(u16::MAX, start, Ordering::Relaxed, Ordering::Relaxed);
    (0..COUNT)
        .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("every loopback port that servers of tests may use is taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let ports: std::collections::BTreeSet<_> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }
}
