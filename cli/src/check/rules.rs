//! What each check looks at. A rule is a function of objects; beside it stands the one that reads them.

pub mod api;
pub mod cni;
pub mod control_plane;
pub mod data_plane;
pub mod extension_namespaces;
pub mod identity;
pub mod labels;
pub mod networks;
pub mod objects;
pub mod opaque_ports;
mod pods;
pub mod pre;
pub mod versions;
pub mod webhook_answers;
pub mod webhooks;

#[cfg(test)]
mod builder;
