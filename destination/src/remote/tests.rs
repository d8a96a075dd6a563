//! Which clusters Secrets name.

use super::{
    secret::{CLUSTER_DOMAIN, CLUSTER_NAME, Credentials, NotACluster, SECRET_TYPE, Secret, TRUST_DOMAIN},
    secrets::{Secrets, Wanted},
};
use linkerd_controller::source::Sink;
use linkerd_k8s::{ObjectId, Resource};
use serde_json::{Value, json};
use std::collections::HashSet;
use tokio::sync::watch;

fn manifest(name: &str, cluster: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE,
        "metadata": {
            "name": name, "namespace": "linkerd",
            "labels": {CLUSTER_NAME: cluster},
            "annotations": {TRUST_DOMAIN: "east.trust", CLUSTER_DOMAIN: "east.local"},
        },
        // "s3cret"
        "data": {"kubeconfig": "czNjcmV0"},
    })
}

fn secret(manifest: Value) -> Secret {
    serde_json::from_value(manifest).unwrap()
}

fn listed() -> (Secrets, watch::Receiver<Option<Wanted>>) {
    let (mut secrets, wanted) = Secrets::new();
    secrets.reset(&HashSet::new());
    (secrets, wanted)
}

fn names(wanted: &watch::Receiver<Option<Wanted>>) -> Vec<String> {
    wanted.borrow().as_ref().unwrap().keys().map(|name| name.to_string()).collect()
}

// Case 47.
#[test]
fn a_secret_that_lacks_something_names_no_cluster() {
    let lacking = |pointer: &str, key: &str| {
        let mut manifest = manifest("credentials", "east");
        manifest.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
        Credentials::read(secret(manifest)).unwrap_err()
    };
    assert_eq!(lacking("", "type"), NotACluster::Type);
    assert_eq!(lacking("/metadata/labels", CLUSTER_NAME), NotACluster::Name);
    assert_eq!(lacking("/metadata/annotations", TRUST_DOMAIN), NotACluster::TrustDomain);
    assert_eq!(lacking("/metadata/annotations", CLUSTER_DOMAIN), NotACluster::ClusterDomain);
    assert_eq!(lacking("/data", "kubeconfig"), NotACluster::Kubeconfig);
    let mut empty = manifest("credentials", "east");
    empty["metadata"]["annotations"][TRUST_DOMAIN] = json!("");
    assert_eq!(Credentials::read(secret(empty)).unwrap_err(), NotACluster::TrustDomain);
    let mut other = manifest("credentials", "east");
    other["type"] = json!("Opaque");
    assert_eq!(Credentials::read(secret(other)).unwrap_err(), NotACluster::Type);
    let complete = Credentials::read(secret(manifest("credentials", "east"))).unwrap();
    assert_eq!(
        (&*complete.cluster, &*complete.trust_domain, &*complete.cluster_domain),
        ("east", "east.trust", "east.local")
    );
    assert_eq!(complete.kubeconfig, b"s3cret");
}

// Case 47.
#[test]
fn clusters_come_change_and_go_with_their_secrets() {
    let (mut secrets, mut wanted) = listed();
    secrets.apply(secret(manifest("credentials", "east")));
    assert_eq!(names(&wanted), ["east"]);
    wanted.mark_unchanged();
    // A Secret that is delivered again, or whose metadata alone changes, is no news.
    let mut again = manifest("credentials", "east");
    again["metadata"]["annotations"]["linkerd.io/created-by"] = json!("linkerd");
    secrets.apply(secret(again));
    assert!(!wanted.has_changed().unwrap());
    let mut rotated = manifest("credentials", "east");
    rotated["data"]["kubeconfig"] = json!("bmV3");
    secrets.apply(secret(rotated.clone()));
    assert_eq!(wanted.borrow_and_update().as_ref().unwrap()["east"].kubeconfig, b"new");
    rotated["data"] = json!({});
    secrets.apply(secret(rotated));
    assert!(names(&wanted).is_empty(), "it lacks the kubeconfig now");
    secrets.apply(secret(manifest("credentials", "east")));
    secrets.delete(&ObjectId::new("linkerd", "credentials"));
    assert!(names(&wanted).is_empty());
}

#[test]
fn nothing_is_known_before_the_list_of_secrets_is_complete() {
    let (mut secrets, wanted) = Secrets::new();
    secrets.apply(secret(manifest("credentials", "east")));
    assert!(wanted.borrow().is_none());
    let id = secret(manifest("credentials", "east")).id();
    secrets.reset(&HashSet::from([id]));
    assert_eq!(names(&wanted), ["east"]);
    secrets.reset(&HashSet::new());
    assert!(names(&wanted).is_empty());
}

#[test]
fn of_two_secrets_for_one_cluster_the_first_by_name_counts_and_the_other_takes_over() {
    let (mut secrets, wanted) = listed();
    let mut other = manifest("b", "east");
    other["data"]["kubeconfig"] = json!("bmV3");
    secrets.apply(secret(other));
    secrets.apply(secret(manifest("a", "east")));
    let kubeconfig =
        |wanted: &watch::Receiver<Option<Wanted>>| wanted.borrow().as_ref().unwrap()["east"].kubeconfig.clone();
    assert_eq!(kubeconfig(&wanted), b"s3cret");
    secrets.delete(&ObjectId::new("linkerd", "a"));
    assert_eq!(kubeconfig(&wanted), b"new");
}

#[test]
fn what_is_secret_is_not_shown() {
    let secret = secret(manifest("credentials", "east"));
    let text = format!("{secret:?} {:?}", Credentials::read(secret.clone()));
    assert!(!text.contains("115") && !text.contains("s3cret") && !text.contains("czNj"), "{text}");
    let mut manifest = manifest("credentials", "east");
    manifest["data"]["kubeconfig"] = json!("s3cret!");
    let error = serde_json::from_value::<Secret>(manifest).unwrap_err().to_string();
    assert!(error.contains("base64") && !error.contains("s3cret"), "{error}");
}
