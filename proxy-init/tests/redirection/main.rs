//! Real traffic through real rules, in network namespaces, with both flavours of iptables.

mod init;
mod net;
mod traffic;
mod validator;

/// Flavours, and the program that prints the IPv4 rules of each.
const FLAVOURS: [(&str, &str); 2] = [("nft", "iptables-nft"), ("legacy", "iptables-legacy")];
