//! MeshTLSAuthentication and NetworkAuthentication: what an AuthorizationPolicy can ask of clients.

use super::{
    definition::{Definition, Version},
    parts::{group, kind, name, namespace},
    schema::Schema,
};

pub(super) fn mesh_tls() -> Definition {
    let reference =
        Schema::object([("group", group()), ("kind", kind()), ("name", name()), ("namespace", namespace())]);
    let spec = Schema::object([
        (
            "identities",
            Schema::list(Schema::string()).min_items(1).about(
                "Identities of clients, as DNS names or SPIFFE IDs; *.DOMAIN stands for every identity under a \
                 domain, * for any",
            ),
        ),
        (
            "identityRefs",
            Schema::list(reference.required(["kind"]))
                .min_items(1)
                .about("Clients by their ServiceAccount, or by the Namespace of their service accounts"),
        ),
    ]);
    Definition {
        group: "policy.linkerd.io",
        kind: "MeshTLSAuthentication",
        plural: "meshtlsauthentications",
        short_names: &["meshtlsauthn"],
        categories: &[],
        versions: vec![Version::new(
            "v1alpha1",
            "Clients that have one of some identities of the mesh.",
            spec.exactly_one_of(["identities", "identityRefs"]),
        )],
    }
}

pub(super) fn network() -> Definition {
    let networks = Schema::list(super::parts::network()).about("Networks that clients may come from");
    Definition {
        group: "policy.linkerd.io",
        kind: "NetworkAuthentication",
        plural: "networkauthentications",
        short_names: &["netauthn", "networkauthn"],
        categories: &[],
        versions: vec![Version::new(
            "v1alpha1",
            "Clients that come from one of some networks.",
            Schema::object([("networks", networks)]).required(["networks"]),
        )],
    }
}
