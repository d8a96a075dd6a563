//! Where a redirected connection was going.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::SockRef;
use tokio::net::TcpStream;

/// The destination before the firewall redirected it here. Without redirection it is the address that was
/// connected to.
///
/// # Errors
/// When the firewall does not know the connection, and neither does the system.
pub fn destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    let (socket, local) = (SockRef::from(stream), stream.local_addr()?);
    let original = match local.ip().to_canonical() {
        IpAddr::V4(_) => socket.original_dst_v4(),
        IpAddr::V6(_) => socket.original_dst_v6(),
    };
    Ok(original.ok().and_then(|address| address.as_socket()).unwrap_or(canonical(local)))
}

/// IPv4 as such, also on a socket that takes both families.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What belongs to this program: a connection to it would come back for ever.
#[derive(Clone, Debug)]
pub struct Own {
    /// Where connections are redirected to.
    pub listeners: Vec<SocketAddr>,
    /// Addresses of the pod; empty if they are not known.
    pub ips: Vec<IpAddr>,
}

impl Own {
    /// Whether `target` is one of the listeners, for a connection that came in at `local`.
    pub fn is_listener(&self, target: SocketAddr, local: SocketAddr) -> bool {
        let is_own_ip =
            target.ip().is_loopback() || target.ip() == local.ip().to_canonical() || self.ips.contains(&target.ip());
        canonical(local) == target
            || self.listeners.iter().any(|listener| {
                listener.port() == target.port() && (is_own_ip || canonical(*listener).ip() == target.ip())
            })
    }

    /// Whether an address is one of the pod, as far as that is known.
    pub fn is_pod(&self, ip: IpAddr) -> bool {
        self.ips.is_empty() || self.ips.contains(&ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn own_listeners_are_known_by_every_address_of_the_pod() {
        let listeners = vec![address("[::]:4143"), address("127.0.0.1:4140")];
        let own = Own { listeners, ips: vec!["10.0.0.7".parse().unwrap()] };
        let local = address("[::ffff:10.0.0.7]:4143");
        for loops in ["10.0.0.7:4143", "127.0.0.1:4143", "10.0.0.7:4140", "127.0.0.1:4140", "[::1]:4143"] {
            assert!(own.is_listener(address(loops), local), "{loops}");
        }
        for fine in ["10.0.0.7:8080", "10.0.0.8:4143", "127.0.0.1:8080", "10.96.0.1:4140"] {
            assert!(!own.is_listener(address(fine), local), "{fine}");
        }
        let direct = address("10.9.9.9:7777");
        assert!(own.is_listener(direct, direct), "a connection that was not redirected");
    }

    #[test]
    fn without_addresses_every_one_may_be_of_the_pod() {
        let ip = "10.0.0.7".parse().unwrap();
        let own = |ips| Own { listeners: Vec::new(), ips };
        assert!(own(Vec::new()).is_pod(ip) && own(vec![ip]).is_pod(ip));
        assert!(!own(vec!["10.0.0.8".parse().unwrap()]).is_pod(ip));
    }

    #[tokio::test]
    async fn a_connection_that_is_not_redirected_was_going_here() {
        let listener = tokio::net::TcpListener::bind("[::]:0").await.unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let (_client, accepted) = tokio::join!(TcpStream::connect(here), listener.accept());
        assert_eq!(destination(&accepted.unwrap().0).unwrap(), here);
    }
}
