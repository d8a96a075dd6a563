//! ServiceProfile: routes of a Service.

use super::{
    definition::{Definition, Version},
    schema::Schema,
};

const ABOUT: &str = "Routes of the Service whose fully qualified name is the object's name: how their requests are \
                     counted, retried and timed.";
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

pub(super) fn definition() -> Definition {
    let version = |name, spec| Version { is_spec_required: false, ..Version::new(name, ABOUT, spec) };
    Definition {
        group: "linkerd.io",
        kind: "ServiceProfile",
        plural: "serviceprofiles",
        short_names: &["sp"],
        categories: &[],
        versions: vec![version("v1alpha1", spec().required(["routes"])), version("v1alpha2", spec())],
    }
}

fn spec() -> Schema {
    Schema::object([
        ("routes", Schema::list(route()).about("Routes, in order: the first whose condition holds takes a request")),
        ("retryBudget", retry_budget()),
        (
            "dstOverrides",
            Schema::list(dst_override()).about("Targets that replace the Service, each with a share of the traffic"),
        ),
        (
            "opaquePorts",
            Schema::anything().about("Ignored; annotate the Service with config.linkerd.io/opaque-ports instead"),
        ),
    ])
}

fn route() -> Schema {
    Schema::object([
        ("name", Schema::string().about("Value of the metric label route")),
        ("condition", request_match()),
        (
            "isRetryable",
            Schema::boolean().default(false).about("Whether failed requests are sent again, within the budget"),
        ),
        (
            "timeout",
            Schema::string().about("Longest time for a request with its retries, such as 250ms; by default none"),
        ),
        (
            "responseClasses",
            Schema::list(response_class())
                .about("Which responses are failures, in order; by default those with a status from 500"),
        ),
    ])
    .required(["condition", "name"])
}

// Conditions are recursive, which schemas cannot be: from the second level on, admission checks them.
fn request_match() -> Schema {
    Schema::object([
        ("pathRegex", Schema::string().about("Regular expression that the whole path matches")),
        ("method", Schema::string().about("Method of the request")),
        ("all", Schema::list(Schema::free_form()).about("Conditions that all hold")),
        ("any", Schema::list(Schema::free_form()).about("Conditions of which at least one holds")),
        ("not", Schema::free_form().about("Condition that does not hold")),
    ])
    .about("Which requests belong to the route; all fields that are set must hold")
}

fn response_class() -> Schema {
    Schema::object([
        ("condition", response_match()),
        ("isFailure", Schema::boolean().default(false).about("Whether the responses are failures")),
    ])
    .required(["condition"])
}

fn response_match() -> Schema {
    let status = Schema::object([
        ("min", Schema::int32().about("Lowest status")),
        ("max", Schema::int32().about("Highest status")),
    ]);
    Schema::object([
        ("status", status.about("Range of HTTP statuses; with one bound, that status alone")),
        ("all", Schema::list(Schema::free_form()).about("Conditions that all hold")),
        ("any", Schema::list(Schema::free_form()).about("Conditions of which at least one holds")),
        ("not", Schema::free_form().about("Condition that does not hold")),
    ])
    .about("Which responses belong to the class; all fields that are set must hold")
}

fn retry_budget() -> Schema {
    Schema::object([
        ("minRetriesPerSecond", Schema::int32().about("Retries per second that are allowed whatever the ratio")),
        ("retryRatio", Schema::float().about("Retries per original request, such as 0.2")),
        ("ttl", Schema::string().about("Time over which requests are counted, from 1s to 60s")),
    ])
    .required(["minRetriesPerSecond", "retryRatio", "ttl"])
    .about("Bounds the retries of all routes together")
}

fn dst_override() -> Schema {
    Schema::object([
        ("authority", Schema::string().about("Target, as DNS name or DNS name and port")),
        ("weight", Schema::int_or_string().pattern(QUANTITY).about("Share of the traffic, as a quantity")),
    ])
}
