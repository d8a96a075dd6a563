//! Clients of `Get` that do with messages what proxies do.

use super::{
    super::world::{Hold, World},
    objects::NAMESPACES,
};
use crate::{
    core::filter::Entry,
    index::{
        EndpointsRequest,
        snapshot::{Change, Encode, EndpointSet, Messages, Snapshot},
    },
};
use bytes::{Buf, BufMut, Bytes};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::sync::watch;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub ns: usize,
    pub service: u8,
    pub port: u16,
    pub hostname: Option<&'static str>,
    pub node: &'static str,
}

/// A client, and what messages made it believe.
pub struct Client {
    pub view: View,
    pub shown: BTreeMap<SocketAddr, Entry>,
    receiver: watch::Receiver<Arc<Snapshot>>,
    has: Option<Arc<Snapshot>>,
    _hold: Hold,
}

impl Client {
    /// Begins to watch, if the Service exists.
    pub fn join(world: &World, view: View) -> Option<Self> {
        let View { ns, port, hostname, node, .. } = view;
        let (namespace, name) = (NAMESPACES[ns], &*format!("svc-{}", view.service));
        let (receiver, hold) = world.watch(EndpointsRequest { namespace, name, hostname, port, node }).ok()?;
        Some(Self { view, shown: BTreeMap::new(), receiver, has: None, _hold: hold })
    }

    /// The set that a new client would get.
    pub fn newest(&self) -> Arc<Snapshot> {
        self.receiver.borrow().clone()
    }

    /// Reads what was sent since. Returns how many messages there were.
    pub fn read(&mut self) -> Result<usize, String> {
        let is_first = self.has.is_none();
        if !is_first && !self.receiver.has_changed().map_err(|_| "the stream has ended")? {
            return Ok(0);
        }
        let newest = self.receiver.borrow_and_update().clone();
        let messages = newest.messages_for(self.has.as_deref(), &Compact);
        for (i, message) in messages.iter().enumerate() {
            self.replay(message.clone(), newest.set(), is_first && i == 0)?;
        }
        if messages.is_empty() && is_first {
            return Err("a new stream was sent nothing".to_owned());
        }
        self.has = Some(newest);
        Ok(messages.len())
    }

    fn replay(&mut self, mut message: Bytes, set: &EndpointSet, is_first: bool) -> Result<(), String> {
        match message.get_u8() {
            ADD => {
                if is_first {
                    self.shown.clear();
                }
                while message.has_remaining() {
                    let entry = &set.entries[message.get_u32() as usize];
                    self.shown.insert(entry.address, entry.clone());
                }
            }
            REMOVE if is_first => return Err("a stream begins with a removal".to_owned()),
            REMOVE => {
                while message.has_remaining() {
                    let address = SocketAddr::new(message.get_u128().to_be_bytes().into(), message.get_u16());
                    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                    if self.shown.remove(&address).is_none() {
                        return Err(format!("{address} is removed, and was not there"));
                    }
                }
            }
            _ => self.shown.clear(),
        }
        Ok(())
    }
}

const ADD: u8 = 0;
const REMOVE: u8 = 1;
const NONE: u8 = 2;

/// Writes messages in few bytes, in the order in which they go to the wire.
struct Compact;

impl Encode for Compact {
    fn whole(&self, set: &EndpointSet) -> Messages {
        let everything = 0..set.entries.len();
        [if set.entries.is_empty() { Bytes::from_static(&[NONE]) } else { add(everything) }].into()
    }

    fn change(&self, _: &EndpointSet, change: &Change) -> Messages {
        let (mut messages, step) = (Vec::new(), &change.step);
        if change.existence == Some(true) && step.added.is_empty() {
            messages.push(Bytes::from_static(&[NONE]));
        }
        if !step.added.is_empty() {
            messages.push(add(step.added.iter().copied()));
        }
        if !step.removed.is_empty() {
            messages.push(remove(&step.removed));
        }
        if change.existence == Some(false) {
            messages.push(Bytes::from_static(&[NONE]));
        }
        messages.into()
    }
}

fn add(positions: impl Iterator<Item = usize>) -> Bytes {
    let mut message = vec![ADD];
    positions.for_each(|position| message.put_u32(position as u32));
    message.into()
}

fn remove(addresses: &[SocketAddr]) -> Bytes {
    let mut message = vec![REMOVE];
    for address in addresses {
        let ip = match address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            std::net::IpAddr::V6(ip) => ip,
        };
        message.put_u128(ip.to_bits());
        message.put_u16(address.port());
    }
    message.into()
}
