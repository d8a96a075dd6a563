//! The policies of the demo application.

use super::*;
use crate::testing::{pod, random::Event};
use linkerd_controller::source::read_documents;

#[test]
fn the_demo_application_lets_in_web_alone_but_for_its_website() {
    let index = Index::new();
    for (_, document) in read_documents(include_str!("../../../../../examples/voting/policy.yaml")) {
        let object = document.unwrap();
        if object.is_null() {
            continue;
        }
        let kinds = [
            Server::KIND,
            AuthorizationPolicy::KIND,
            MeshTlsAuthentication::KIND,
            NetworkAuthentication::KIND,
            ServerAuthorization::KIND,
        ];
        let kind = *kinds.iter().find(|kind| object["kind"] == **kind).unwrap();
        let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
        let id = ObjectId::new(text("namespace"), text("name"));
        super::replay::feed_all(&mut index.0.lock(), &Event { kind, id, object: Some(object) });
    }
    assert_eq!((index.problems(), index.0.lock().missing_authentications()), (vec![], vec![]));
    let allowed = |app: &str, port: &str| {
        let pod = pod(app).namespace("emojivoto").label("app", app).container(&[(port, 8080)], None);
        index.apply(&pod);
        let policy = index.0.lock().policy(&workload("emojivoto", WorkloadKind::Pod, app), 8080).unwrap();
        validated_inbound(&policy);
        (source(&policy).to_owned(), policy.authorizations)
    };
    let web: crate::core::identity::IdentityMatch =
        "web.emojivoto.serviceaccount.identity.linkerd.cluster.local".parse().unwrap();
    for (app, server) in [("voting-svc", "voting-grpc"), ("emoji-svc", "emoji-grpc")] {
        let (source, authorizations) = allowed(app, "grpc");
        assert_eq!((source.as_str(), authorizations.len()), (server, 1));
        assert_eq!(authorizations[0].authentication, Authentication::TlsAuthenticated([web.clone()].into()), "{app}");
    }
    let (source, authorizations) = allowed("web-svc", "http");
    assert_eq!((source.as_str(), authorizations.len()), ("web-http", 1));
    assert_eq!(authorizations[0].authentication, Authentication::Unauthenticated);
}
