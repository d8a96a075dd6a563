//! Networks, with the parts that are left out of them.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use std::net::IpAddr;

/// The addresses in `cidr` that are in no `except`. Host bits are kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Network {
    /// The network; a bare address is a network of one.
    #[serde(deserialize_with = "network")]
    pub cidr: IpNet,
    /// What is left out of it.
    #[serde(default, deserialize_with = "networks")]
    pub except: Vec<IpNet>,
}

impl Network {
    /// Whether the network has the address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.cidr.contains(&ip) && !self.except.iter().any(|except| except.contains(&ip))
    }
}

impl From<IpNet> for Network {
    fn from(cidr: IpNet) -> Self {
        Self { cidr, except: Vec::new() }
    }
}

fn parse<E: Error>(text: &str) -> Result<IpNet, E> {
    let bare = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(bare).ok_or_else(|| E::custom(format!("{text:?} is neither a CIDR nor an IP address")))
}

fn network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    texts.iter().map(|text| parse(text)).collect()
}
