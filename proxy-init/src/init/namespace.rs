//! The network namespace whose firewall is changed.

use super::log::Log;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::{self, File, TryLockError},
    io,
    os::fd::AsFd,
    thread,
};

/// A namespace that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the network namespace {path}: {source}; --netns takes the path of one, such as /proc/PID/ns/net")]
pub struct Error {
    path: String,
    #[source]
    source: io::Error,
}

/// A network namespace, held by this run alone.
pub struct Namespace {
    handle: File,
    entered: bool,
}

impl Namespace {
    /// Opens a namespace by its path, or the program's own, and waits until no other run of this
    /// program is changing it. Two at once would each find no jump, and each add one.
    ///
    /// # Errors
    /// When there is no such namespace.
    pub fn open(path: Option<&str>, log: &Log) -> Result<Self, Error> {
        let name = path.unwrap_or("/proc/self/ns/net");
        let error = |source| Error { path: name.to_owned(), source };
        let handle = File::open(name).map_err(error)?;
        let locked = match handle.try_lock() {
            Err(TryLockError::WouldBlock) => {
                log.info("waiting for another run in this network namespace");
                handle.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        // A lone run, which is the rule, is no worse for it.
        if let Err(error) = locked {
            log.warn("cannot keep other runs away from this network namespace", &[("error", &error.to_string())]);
        }
        Ok(Self { handle, entered: path.is_some() })
    }

    /// Whether an address in the namespace reaches beyond the link by IPv6.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn has_ipv6_address(&self) -> io::Result<bool> {
        let addresses = || match fs::read_to_string("/proc/thread-self/net/if_inet6") {
            Ok(list) => Ok(has_routable(&list)),
            // A kernel without IPv6 has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        if !self.entered {
            return addresses();
        }
        // A thread of its own, so that this one stays where it is.
        thread::scope(|scope| {
            let entering = scope.spawn(|| {
                move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Network))?;
                addresses()
            });
            entering.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
        })
    }
}

/// Lines of `/proc/net/if_inet6` are address, interface, prefix length, scope, flags and name, in
/// hexadecimal; scope 10 is this host, 20 the link.
fn has_routable(list: &str) -> bool {
    let scope = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
    list.lines().filter_map(scope).any(|scope| scope != "10" && scope != "20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_link_addresses_do_not_reach_beyond_the_link() {
        let lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
        let link = "fe8000000000000000ff00fffe000001 02 40 20 80     eth0\n";
        let global = "fd000000000000000000000000000002 02 40 00 80     eth0\n";
        assert!(!has_routable(""));
        assert!(!has_routable(&[lo, link].concat()));
        assert!(has_routable(&[lo, link, global].concat()));
    }
}
