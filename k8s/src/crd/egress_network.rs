//! EgressNetwork: destinations outside of the cluster.

use super::{
    definition::{Definition, Version},
    parts::{conditions, network},
    schema::Schema,
};

pub(super) fn definition() -> Definition {
    let spec = Schema::object([
        ("networks", Schema::list(network()).about("Networks; by default everything but the networks of the cluster")),
        (
            "trafficPolicy",
            Schema::string().one_of(["Allow", "Deny"]).about("What happens to traffic that no route takes"),
        ),
    ]);
    let status = Schema::object([("conditions", conditions().about("Whether the networks are accepted"))]);
    Definition {
        group: "policy.linkerd.io",
        kind: "EgressNetwork",
        plural: "egressnetworks",
        short_names: &[],
        categories: &["policy"],
        versions: vec![Version {
            status: Some(status),
            ..Version::new(
                "v1alpha1",
                "Networks outside of the cluster, to which routes can be attached.",
                spec.required(["trafficPolicy"]),
            )
        }],
    }
}
