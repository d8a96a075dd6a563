//! HTTPLocalRateLimitPolicy: how many requests each pod takes.

use super::{
    definition::{Column, Definition, Version},
    parts::{conditions, group, kind, name, namespace},
    schema::Schema,
};

pub(super) fn definition() -> Definition {
    let target = Schema::object([("group", group()), ("kind", kind()), ("name", name())]).required(["kind", "name"]);
    let spec = Schema::object([
        ("targetRef", target.about("The Server whose requests are counted")),
        ("total", limit().about("Limit for all clients together")),
        ("identity", limit().about("Limit for each client identity; clients without one count as one")),
        ("overrides", Schema::list(limit_of_clients()).about("Limits of some clients, in place of that of identity")),
    ]);
    let served = Schema::object([
        ("group", group().default("policy.linkerd.io")),
        ("kind", kind().default("Server")),
        ("name", name()),
    ]);
    let status = Schema::object([
        ("conditions", conditions().about("Whether the limits are in force")),
        ("targetRef", served.required(["name"]).about("The Server that the conditions are about")),
    ]);
    Definition {
        group: "policy.linkerd.io",
        kind: "HTTPLocalRateLimitPolicy",
        plural: "httplocalratelimitpolicies",
        short_names: &[],
        categories: &[],
        versions: vec![Version {
            status: Some(status),
            columns: vec![
                Column::text("Target_kind", ".spec.targetRef.kind", "Kind of the target"),
                Column::text("Target_name", ".spec.targetRef.name", "Name of the target"),
                Column::integer("Total_RPS", ".spec.total.requestsPerSecond", "Requests per second of all clients"),
                Column::integer("Identity_RPS", ".spec.identity.requestsPerSecond", "Requests per second of a client"),
            ],
            ..Version::new(
                "v1alpha1",
                "Limits the requests per second that each pod of a Server takes.",
                spec.required(["targetRef"]),
            )
        }],
    }
}

fn requests_per_second() -> Schema {
    Schema::int64().about("Requests per second")
}

fn limit() -> Schema {
    Schema::object([("requestsPerSecond", requests_per_second())]).required(["requestsPerSecond"])
}

fn limit_of_clients() -> Schema {
    let client = Schema::object([("group", group()), ("kind", kind()), ("namespace", namespace()), ("name", name())]);
    Schema::object([
        ("requestsPerSecond", requests_per_second()),
        ("clientRefs", Schema::list(client.required(["kind", "name"])).about("ServiceAccounts of the clients")),
    ])
    .required(["requestsPerSecond", "clientRefs"])
}
