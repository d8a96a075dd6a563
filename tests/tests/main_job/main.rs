//! The main job on a real API server: from a pod's creation to a proxy that is certified, routed and
//! authorized. Each part runs as its own process and is asked over the network alone.

mod certificates;
mod endpoints;
mod external_workloads;
mod hostile;
mod injection;
mod issuers;
mod policies;
mod profiles;
mod remote;
mod setup;
mod transport;
mod webhook_certificates;
