//! The data plane.

use super::within;
use crate::check::{
    context::Context,
    engine::Check,
    rules::{data_plane, labels, opaque_ports},
};

/// Whether proxies have certificates.
pub fn data_plane_certificates() -> Vec<Check<Context>> {
    let check = within("linkerd-identity-data-plane");
    let anchors = "data plane proxies certificate match CA";
    vec![
        check(anchors, "l5d-identity-data-plane-proxies-certs-match-ca", |c| Box::pin(data_plane::anchors(c)))
            .warning(),
        check("data plane proxies are certified", "", |c| Box::pin(data_plane::certificates(c))).warning().retried(),
    ]
}

/// Whether proxies are ready, and configured as they are meant to be.
pub fn proxies() -> Vec<Check<Context>> {
    let check = within("linkerd-data-plane");
    let (pods, services) =
        ("data plane pod labels are configured correctly", "data plane service labels are configured correctly");
    let annotations = "data plane service annotations are configured correctly";
    let opaque = "opaque ports are properly annotated";
    vec![
        check("data plane namespace exists", "l5d-data-plane-exists", |c| Box::pin(data_plane::namespace(c))).fatal(),
        check("data plane proxies are ready", "l5d-data-plane-ready", |c| Box::pin(data_plane::ready(c)))
            .fatal()
            .retried(),
        check("data plane is up-to-date", "l5d-data-plane-version", |c| Box::pin(data_plane::versions(c))).warning(),
        check(pods, "l5d-data-plane-pod-labels", |c| Box::pin(labels::of_pods(c))).warning(),
        check(services, "l5d-data-plane-services-labels", |c| Box::pin(labels::of_services(c))).warning(),
        check(annotations, "l5d-data-plane-services-annotations", |c| Box::pin(labels::annotations_of_services(c)))
            .warning(),
        check(opaque, "linkerd-opaque-ports-definition", |c| Box::pin(opaque_ports::agree(c))).warning(),
    ]
}
