//! Tests of what is on the wire.

mod federation;
mod messages;
mod metering;
mod server;
mod service_profiles;

use super::{Server, delivery::Meters};
use crate::index::Index;
use linkerd_controller::{grpc::Methods, source::Shared, tasks::Tasks};

impl Server {
    /// A server whose meters nobody reads.
    fn new(index: &Shared<Index>) -> Self {
        let (tasks, _) = Tasks::new();
        Self::measured(index, Meters::register(&Methods::new(&tasks)))
    }
}
