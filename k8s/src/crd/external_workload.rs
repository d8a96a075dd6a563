//! ExternalWorkload: a member of the mesh outside of the cluster.

use super::{
    definition::{Column, Definition, Version},
    schema::Schema,
};

const ABOUT: &str = "A member of the mesh that runs outside of the cluster.";

// An object written as v1alpha1 spells the field `meshTls` and is stored as it is: without a
// conversion, only a schema of v1beta1 that knows this spelling too keeps the field when the object
// is read. Our readers take either.
pub(super) fn definition() -> Definition {
    let v1alpha1 = Schema::object([
        ("meshTls", mesh_tls()),
        ("meshTLS", mesh_tls()),
        ("ports", ports()),
        ("workloadIPs", workload_ips(1)),
    ]);
    let v1beta1 = Schema::object([
        ("meshTLS", mesh_tls()),
        ("meshTls", mesh_tls().about("Deprecated spelling of meshTLS, in objects written as v1alpha1")),
        ("ports", ports()),
        ("workloadIPs", workload_ips(2)),
    ]);
    let one_spelling = |spec: Schema| spec.exactly_one_of(["meshTLS", "meshTls"]);
    Definition {
        group: "workload.linkerd.io",
        kind: "ExternalWorkload",
        plural: "externalworkloads",
        short_names: &[],
        categories: &["external"],
        versions: vec![
            Version {
                columns: vec![identity(".spec.meshTls.identity"), Column::age()],
                ..Version::new("v1alpha1", ABOUT, one_spelling(v1alpha1))
            },
            Version {
                status: Some(status()),
                columns: vec![identity(".spec.meshTLS.identity"), Column::age()],
                ..Version::new("v1beta1", ABOUT, one_spelling(v1beta1))
            },
        ],
    }
}

fn identity(path: &'static str) -> Column {
    Column::text("Identity", path, "Identity of the workload in the mesh")
}

fn mesh_tls() -> Schema {
    let name = || Schema::string().min_length(1).max_length(253);
    Schema::object([
        ("identity", name().about("Identity that the workload proves, as a SPIFFE ID or a DNS name")),
        ("serverName", name().about("Server name that clients send in TLS")),
    ])
    .required(["identity", "serverName"])
    .about("Identity of the workload in the mesh")
}

fn ports() -> Schema {
    let port = Schema::object([
        ("name", Schema::string().about("Name of the port")),
        ("port", Schema::port().about("Number of the port")),
        ("protocol", Schema::string().default("TCP").about("Transport protocol")),
    ]);
    Schema::list(port.required(["port"])).about("Ports of the workload")
}

fn workload_ips(max: u32) -> Schema {
    let ip = Schema::object([("ip", Schema::string().about("Address"))]).required(["ip"]);
    Schema::list(ip).max_items(max).about("Addresses of the workload, at most one of each family")
}

fn status() -> Schema {
    let condition = Schema::object([
        ("type", Schema::string().about("What the condition is about; Ready lets the workload take traffic")),
        ("status", Schema::string().one_of(["True", "False", "Unknown"]).about("Whether it holds")),
        ("reason", Schema::string().about("Why, in one word")),
        ("message", Schema::string().about("Why, for people")),
        ("lastProbeTime", Schema::timestamp().about("When the workload was probed last")),
        ("lastTransitionTime", Schema::timestamp().about("When the status changed last")),
    ]);
    Schema::object([("conditions", Schema::list(condition.required(["type", "status"])))])
        .about("What is known of the workload")
}
