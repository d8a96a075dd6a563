//! AuthorizationPolicy and ServerAuthorization: who may talk to what.

use super::{
    definition::{Column, Definition, Version},
    parts::{LABEL, group, kind, name, namespace, network, selector},
    schema::Schema,
};

/// A DNS name whose first label may be a wildcard.
const IDENTITY: &str = r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

pub(super) fn authorization_policy() -> Definition {
    let target = Schema::object([("group", group()), ("kind", kind()), ("name", name())]);
    let authentication =
        Schema::object([("group", group()), ("kind", kind()), ("name", name()), ("namespace", namespace())]);
    let authentications = Schema::list(authentication.required(["kind", "name"]))
        .about("Authentications, all of which a client must pass; with none, every client passes");
    let spec = Schema::object([
        (
            "targetRef",
            target
                .required(["kind", "name"])
                .about("What clients are let into: a Server, an HTTPRoute, a GRPCRoute, or this object's Namespace"),
        ),
        ("requiredAuthenticationRefs", authentications),
    ]);
    Definition {
        group: "policy.linkerd.io",
        kind: "AuthorizationPolicy",
        plural: "authorizationpolicies",
        short_names: &["authzpolicy"],
        categories: &[],
        versions: vec![Version::new(
            "v1alpha1",
            "Lets clients that pass some authentications into a target.",
            spec.required(["targetRef", "requiredAuthenticationRefs"]),
        )],
    }
}

pub(super) fn server_authorization() -> Definition {
    const ABOUT: &str = "Lets clients into Servers of the namespace.";
    const SERVER: Column = Column::text("Server", ".spec.server.name", "The server that clients are let into");
    let spec = Schema::object([("server", servers()), ("client", client())]).required(["server", "client"]);
    Definition {
        group: "policy.linkerd.io",
        kind: "ServerAuthorization",
        plural: "serverauthorizations",
        short_names: &["saz", "serverauthz", "srvauthz"],
        categories: &[],
        versions: vec![
            Version { superseded_by: Some("v1beta1"), ..Version::new("v1alpha1", ABOUT, spec.clone()) },
            Version { columns: vec![SERVER], ..Version::new("v1beta1", ABOUT, spec) },
        ],
    }
}

fn servers() -> Schema {
    Schema::object([
        ("name", Schema::string().pattern(LABEL).about("Name of a Server")),
        ("selector", selector().about("Servers by their labels")),
    ])
    .exactly_one_of(["name", "selector"])
    .about("Servers that clients are let into")
}

fn client() -> Schema {
    Schema::object([
        (
            "networks",
            Schema::list(network()).about("Networks that clients may come from; by default those of the cluster"),
        ),
        ("unauthenticated", Schema::boolean().default(false).about("Whether clients need no TLS at all")),
        ("meshTLS", mesh_tls()),
    ])
    .about("Clients that are let in")
}

fn mesh_tls() -> Schema {
    let account = Schema::object([
        ("name", Schema::string().about("Name of the service account")),
        ("namespace", Schema::string().about("Namespace of the service account; by default that of this object")),
    ]);
    Schema::object([
        (
            "unauthenticatedTLS",
            Schema::boolean().default(false).about("Whether clients need TLS but no identity of their own"),
        ),
        (
            "identities",
            Schema::list(Schema::string().pattern(IDENTITY))
                .about("Identities of clients; *.DOMAIN stands for every identity under a domain, * for any"),
        ),
        ("serviceAccounts", Schema::list(account.required(["name"])).about("Service accounts of clients")),
    ])
    .about("Clients that speak the mesh's TLS")
}
