//! Our custom resource definitions, from which the chart `linkerd-crds` is generated.
//!
//! They are wider than the slim types of this crate: an object keeps every field that its users
//! write, while a slim type decodes those that are served.
//!
//! Invariants: schemas are structural, every version is served, one is stored, and no version needs
//! a conversion webhook.

mod authentication;
mod authorization;
mod chart;
mod definition;
mod egress_network;
mod external_workload;
mod http_route;
mod parts;
mod rate_limit;
mod schema;
mod server;
mod service_profile;

pub use self::chart::chart_files;
use self::definition::Definition;
use serde_json::Value;

/// Every definition as an object of `apiextensions.k8s.io/v1`, in the order in which they are
/// installed.
pub fn all() -> Vec<Value> {
    definitions().iter().map(Definition::to_object).collect()
}

fn definitions() -> Vec<Definition> {
    vec![
        authorization::authorization_policy(),
        egress_network::definition(),
        rate_limit::definition(),
        http_route::definition(),
        authentication::mesh_tls(),
        authentication::network(),
        authorization::server_authorization(),
        server::definition(),
        service_profile::definition(),
        external_workload::definition(),
    ]
}

#[cfg(test)]
mod tests;
