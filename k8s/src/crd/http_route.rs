//! HTTPRoute of policy.linkerd.io: which HTTP requests go where.
//!
//! It follows the HTTPRoute of the Gateway API, which supersedes it.

use super::{
    definition::{Column, Definition, Version},
    parts::{LABEL, conditions, group, kind, name, namespace},
    schema::Schema,
};
use serde_json::json;

const HOSTNAME: &str = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

pub(super) fn definition() -> Definition {
    let version = |name, backends, timeouts| Version {
        status: Some(status()),
        columns: vec![Column::text("Hostnames", ".spec.hostnames", "Host names of the route"), Column::age()],
        ..Version::new(
            name,
            "Which HTTP requests to a parent go where, and who may send them.",
            spec(backends, timeouts),
        )
    };
    Definition {
        group: "policy.linkerd.io",
        kind: "HTTPRoute",
        plural: "httproutes",
        short_names: &[],
        categories: &[],
        versions: vec![
            version("v1alpha1", Backends::ByName, Timeouts::Unknown),
            version("v1beta1", Backends::ByName, Timeouts::Unknown),
            version("v1beta2", Backends::Full, Timeouts::Unknown),
            version("v1beta3", Backends::Full, Timeouts::Known),
        ],
    }
}

/// How much of a backend a version can say.
#[derive(Clone, Copy)]
enum Backends {
    ByName,
    Full,
}

/// Whether a version can say timeouts.
#[derive(Clone, Copy)]
enum Timeouts {
    Unknown,
    Known,
}

fn spec(backends: Backends, timeouts: Timeouts) -> Schema {
    let any_path = json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]);
    Schema::object([
        ("parentRefs", Schema::list(parent_ref()).max_items(32).about("What the route is attached to")),
        (
            "hostnames",
            Schema::list(Schema::string().min_length(1).max_length(253).pattern(HOSTNAME))
                .max_items(16)
                .about("Host names of the requests; by default any"),
        ),
        (
            "rules",
            Schema::list(rule(backends, timeouts))
                .max_items(16)
                .default(any_path)
                .about("What happens to which requests; by default every request matches"),
        ),
    ])
}

fn parent_ref() -> Schema {
    Schema::object([
        ("group", group().default("policy.linkerd.io")),
        ("kind", kind().default("Gateway")),
        ("name", name()),
        ("namespace", label_namespace()),
        ("port", Schema::port().about("Port of the parent; by default every port")),
        ("sectionName", Schema::string().min_length(1).max_length(253).about("Section of the parent")),
    ])
    .required(["name"])
}

fn label_namespace() -> Schema {
    namespace().min_length(1).max_length(63).pattern(LABEL)
}

fn rule(backends: Backends, timeouts: Timeouts) -> Schema {
    let any_path = json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    let matches =
        Schema::list(request_match()).max_items(8).default(any_path).about("Requests, of which any match takes");
    let filters = Schema::list(route_filter()).max_items(16).about("What is done to the requests");
    let backend_refs =
        Schema::list(backend_ref(backends)).max_items(16).about("Where the requests go; by default to the parent");
    match timeouts {
        Timeouts::Unknown => {
            Schema::object([("matches", matches), ("filters", filters), ("backendRefs", backend_refs)])
        }
        Timeouts::Known => Schema::object([
            ("matches", matches),
            ("filters", filters),
            ("backendRefs", backend_refs),
            ("timeouts", rule_timeouts()),
        ]),
    }
}

fn rule_timeouts() -> Schema {
    Schema::object([
        ("request", Schema::string().about("Longest time for a request with its retries, such as 1m30s")),
        ("backendRequest", Schema::string().about("Longest time for one attempt at a backend")),
    ])
    .about("How long requests may take")
}

fn request_match() -> Schema {
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let path = Schema::object([
        (
            "type",
            Schema::string()
                .one_of(["Exact", "PathPrefix", "RegularExpression"])
                .default("PathPrefix")
                .about("How the path is compared"),
        ),
        ("value", Schema::string().max_length(1024).default("/").about("Path to compare with")),
    ]);
    Schema::object([
        ("path", path.about("Path of the request")),
        ("headers", Schema::list(named_match(4096)).max_items(16).about("Headers of the request, all of which match")),
        (
            "queryParams",
            Schema::list(named_match(1024)).max_items(16).about("Query parameters of the request, all of which match"),
        ),
        ("method", Schema::string().one_of(methods).about("Method of the request")),
    ])
}

/// A header or query parameter.
fn named_match(max_value: u32) -> Schema {
    let type_ = Schema::string().one_of(["Exact", "RegularExpression"]).default("Exact");
    Schema::object([
        ("type", type_.about("How the value is compared")),
        ("name", Schema::string().min_length(1).max_length(256).about("Name")),
        ("value", Schema::string().min_length(1).max_length(max_value).about("Value to compare with")),
    ])
    .required(["name", "value"])
}

fn route_filter() -> Schema {
    let type_ = Schema::string().one_of(["RequestHeaderModifier", "RequestRedirect"]);
    Schema::object([
        ("type", type_.about("Which of the fields applies")),
        ("requestHeaderModifier", header_modifier().about("Changes headers of the request")),
        ("requestRedirect", request_redirect()),
    ])
    .required(["type"])
}

fn backend_filter() -> Schema {
    let type_ = Schema::string().one_of(["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"]);
    Schema::object([
        ("type", type_.about("Which of the fields applies")),
        ("requestHeaderModifier", header_modifier().about("Changes headers of the request")),
        ("responseHeaderModifier", header_modifier().about("Changes headers of the response")),
        ("requestRedirect", request_redirect()),
    ])
    .required(["type"])
}

fn header_modifier() -> Schema {
    let header = Schema::object([
        ("name", Schema::string().min_length(1).max_length(256).about("Name")),
        ("value", Schema::string().min_length(1).max_length(4096).about("Value")),
    ])
    .required(["name", "value"]);
    Schema::object([
        ("set", Schema::list(header.clone()).about("Headers that replace those of the same name")),
        ("add", Schema::list(header).about("Headers that are added to those of the same name")),
        ("remove", Schema::list(Schema::string()).about("Names of headers that are removed")),
    ])
}

fn request_redirect() -> Schema {
    let path = Schema::object([
        (
            "type",
            Schema::string().one_of(["ReplaceFullPath", "ReplacePrefixMatch"]).about("Which of the fields applies"),
        ),
        ("replaceFullPath", Schema::string().max_length(1024).about("New path")),
        ("replacePrefixMatch", Schema::string().max_length(1024).about("What replaces the prefix that was matched")),
    ]);
    Schema::object([
        ("scheme", Schema::string().one_of(["http", "https"]).about("New scheme")),
        ("hostname", Schema::string().min_length(1).max_length(253).about("New host name")),
        ("path", path.required(["type"]).about("New path")),
        ("port", Schema::port().about("New port")),
        ("statusCode", Schema::int32().one_of([301, 302]).default(302).about("Status of the response")),
    ])
    .about("Answers with a redirect")
}

fn backend_ref(backends: Backends) -> Schema {
    let port = Schema::port().about("Port of the backend; a Service needs one");
    match backends {
        Backends::ByName => {
            Schema::object([("name", name()), ("port", port), ("namespace", label_namespace().default("default"))])
        }
        Backends::Full => Schema::object([
            ("group", group().default("")),
            ("kind", kind().default("Service")),
            ("name", name()),
            ("namespace", label_namespace()),
            ("port", port),
            (
                "weight",
                Schema::int32()
                    .range(0, 1_000_000)
                    .default(1)
                    .about("Share of the requests, in relation to the sum of all weights"),
            ),
            ("filters", Schema::list(backend_filter()).max_items(16).about("What is done to requests to this backend")),
        ]),
    }
    .required(["name"])
}

fn status() -> Schema {
    let parent = Schema::object([
        (
            "controllerName",
            Schema::string().min_length(1).max_length(253).about("Controller that writes the conditions"),
        ),
        ("parentRef", parent_ref().about("The parent, as in the specification")),
        ("conditions", conditions().min_items(1).max_items(8).about("Whether the parent takes the route")),
    ]);
    Schema::object([(
        "parents",
        Schema::list(parent.required(["controllerName", "parentRef"]))
            .max_items(32)
            .about("What became of the route at each parent"),
    )])
    .required(["parents"])
}
