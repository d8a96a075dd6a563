//! Who watches endpoints.

use super::ViewKey;
use crate::core::key::Key;
use std::sync::Arc;

/// A place among those who watch endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The Service.
    pub service: Key,
    /// Port and hostname.
    pub view: ViewKey,
    /// Node of the client.
    pub node: Arc<str>,
    /// Who has it.
    pub holder: Holder,
    /// Number of what is watched: another may be watched under the same name when this one has ended.
    pub(super) id: u64,
}

/// Who has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A stream of the Service's own endpoints.
    Stream,
    /// A Service that the Service is a member of.
    Member,
}
