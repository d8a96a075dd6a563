use super::*;
use serde_json::{Value, json};

fn owned(name: &str, owners: &[(&str, &str)]) -> Value {
    let owners =
        owners.iter().map(|(kind, name)| json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": ""}));
    json!({"name": name, "ownerReferences": owners.collect::<Vec<_>>()})
}

fn pod(name: &str, replica_set: &str, phase: &str, is_ready: bool) -> Value {
    let ready = if is_ready { "True" } else { "False" };
    json!({
        "metadata": owned(name, &[("ReplicaSet", replica_set)]),
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn deployments(pods: Vec<Value>, replica_sets: Vec<Value>) -> Deployments {
    Deployments {
        namespace: "linkerd".to_owned(),
        pods: pods.into_iter().map(|pod| serde_json::from_value(pod).unwrap()).collect(),
        replica_sets: replica_sets.into_iter().map(|set| serde_json::from_value(set).unwrap()).collect(),
    }
}

fn chosen(pods: Vec<Value>) -> Option<String> {
    let sets = [("old", "web"), ("new", "web"), ("other", "api")];
    let sets = sets.map(|(name, deployment)| owned(name, &[("Deployment", deployment)])).to_vec();
    deployments(pods, sets).running("web").ok().and_then(|pod| pod.metadata.name.clone())
}

// Acceptance case 54 of the command line.
#[test]
fn a_running_pod_is_found_through_its_replica_set() {
    assert_eq!(
        chosen(vec![pod("a", "other", "Running", true), pod("b", "new", "Running", true)]).as_deref(),
        Some("b")
    );
    assert_eq!(chosen(vec![pod("a", "old", "Running", true)]).as_deref(), Some("a"));
}

// Acceptance case 54 of the command line.
#[test]
fn pods_that_do_not_run_are_not_asked_and_the_error_names_the_deployment() {
    let pending = deployments(vec![pod("a", "new", "Pending", false)], vec![owned("new", &[("Deployment", "web")])]);
    let error = pending.running("web").unwrap_err().to_string();
    assert!(
        error.starts_with("no running pods found for web in namespace linkerd; see what 'linkerd check'"),
        "{error}"
    );
    assert!(pending.exists("web") && !pending.exists("api"));
}

#[test]
fn a_ready_pod_that_stays_is_preferred() {
    let unready = pod("a", "new", "Running", false);
    let mut leaving = pod("b", "new", "Running", true);
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let ready = pod("c", "new", "Running", true);
    assert_eq!(chosen(vec![unready.clone(), leaving.clone(), ready]).as_deref(), Some("c"));
    assert_eq!(chosen(vec![leaving.clone(), unready]).as_deref(), Some("a"));
    assert_eq!(chosen(vec![leaving]).as_deref(), Some("b"));
}

#[test]
fn a_pod_with_several_owners_or_of_another_kind_belongs_to_no_deployment() {
    let mut several = pod("a", "new", "Running", true);
    several["metadata"] = owned("a", &[("ReplicaSet", "new"), ("ReplicaSet", "old")]);
    let mut other_kind = pod("b", "new", "Running", true);
    other_kind["metadata"] = owned("b", &[("StatefulSet", "new")]);
    let mut alone = pod("c", "new", "Running", true);
    alone["metadata"] = json!({"name": "c"});
    assert_eq!(chosen(vec![several, other_kind, alone]), None);
}
