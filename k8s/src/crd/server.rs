//! Server: a port of some workloads.

use super::{
    definition::{Column, Definition, Version},
    parts::selector,
    schema::Schema,
};

const ABOUT: &str = "A port of some workloads of a namespace, to which policy applies.";
const PORT: Column = Column::text("Port", ".spec.port", "The port that the server listens on");
const PROTOCOL: Column = Column::text("Protocol", ".spec.proxyProtocol", "The protocol of the port");
const ACCESS_POLICY: Column =
    Column::text("Access Policy", ".spec.accessPolicy", "What happens to traffic that nothing authorizes");

pub(super) fn definition() -> Definition {
    let v1alpha1_selector = pod_selector().exactly_one_of(["matchExpressions", "matchLabels"]);
    let v1alpha1 =
        Schema::object([("podSelector", v1alpha1_selector), ("port", port()), ("proxyProtocol", proxy_protocol())])
            .required(["podSelector", "port"]);
    let v1beta1 =
        Schema::object([("podSelector", pod_selector()), ("port", port()), ("proxyProtocol", proxy_protocol())])
            .required(["podSelector", "port"]);
    let v1beta2 = Schema::object([
        ("podSelector", pod_selector()),
        ("externalWorkloadSelector", external_workload_selector()),
        ("port", port()),
        ("proxyProtocol", proxy_protocol()),
    ]);
    let v1beta3 = Schema::object([
        ("podSelector", pod_selector()),
        ("externalWorkloadSelector", external_workload_selector()),
        ("port", port()),
        ("proxyProtocol", proxy_protocol()),
        ("accessPolicy", access_policy()),
    ]);
    let one_selector =
        |spec: Schema| spec.required(["port"]).exactly_one_of(["externalWorkloadSelector", "podSelector"]);
    Definition {
        group: "policy.linkerd.io",
        kind: "Server",
        plural: "servers",
        short_names: &["srv"],
        categories: &[],
        versions: vec![
            Version { superseded_by: Some("v1beta1"), ..Version::new("v1alpha1", ABOUT, v1alpha1) },
            Version {
                superseded_by: Some("v1beta3"),
                columns: vec![PORT, PROTOCOL],
                ..Version::new("v1beta1", ABOUT, v1beta1)
            },
            Version { columns: vec![PORT, PROTOCOL], ..Version::new("v1beta2", ABOUT, one_selector(v1beta2)) },
            Version {
                columns: vec![PORT, PROTOCOL, ACCESS_POLICY],
                ..Version::new("v1beta3", ABOUT, one_selector(v1beta3))
            },
        ],
    }
}

fn pod_selector() -> Schema {
    selector().about("Pods of the namespace that have the port; an empty selector selects all of them")
}

fn external_workload_selector() -> Schema {
    selector().about("ExternalWorkloads of the namespace that have the port; an empty selector selects all of them")
}

fn port() -> Schema {
    Schema::int_or_string().range(1, 65535).about("Number of the port, or name of a TCP port of the workloads")
}

fn proxy_protocol() -> Schema {
    Schema::string().default("unknown").about(
        "Protocol of the port: unknown (it is detected), HTTP/1, HTTP/2, gRPC, opaque or TLS. All but unknown spare \
         connections the detection.",
    )
}

fn access_policy() -> Schema {
    Schema::string().default("deny").about(
        "What happens to traffic that no authorization allows: deny, audit, all-unauthenticated, all-authenticated, \
         cluster-unauthenticated or cluster-authenticated",
    )
}
