use super::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(objects: Vec<Value>) -> Vec<T> {
    objects.into_iter().map(|object| serde_json::from_value(object).unwrap()).collect()
}

fn pod(component: &str, suffix: &str, phase: &str, is_ready: bool) -> Value {
    json!({
        "metadata": { "name": format!("linkerd-{component}-{suffix}"),
                      "labels": { "linkerd.io/control-plane-component": component } },
        "status": { "phase": phase, "containerStatuses": [
            { "name": component, "ready": is_ready, "restartCount": 0, "image": "", "imageID": "",
              "state": if is_ready { json!({ "running": {} }) } else { json!({ "waiting": { "reason": "CrashLoopBackOff" } }) } },
        ] },
    })
}

fn all_ready() -> Vec<Value> {
    COMPONENTS.iter().map(|component| pod(component, "a", "Running", true)).collect()
}

// Acceptance case 43 of installation.
#[test]
fn one_ready_pod_of_each_component_is_enough() {
    let mut pods = all_ready();
    pods.push(pod("identity", "b", "Running", false));
    pods.push(pod("identity", "c", "Pending", false));
    assert_eq!(are_ready(&read(pods)), Ok(()));
}

#[test]
fn each_component_without_a_ready_pod_is_named() {
    let mut pods = all_ready();
    pods[0] = pod("destination", "a", "Pending", false);
    pods[2] = pod("policy", "a", "Running", false);
    let expected = "No running pods for \"linkerd-destination\"\n\
                    No pod for \"linkerd-policy\" is ready: pod linkerd-policy-a container policy (CrashLoopBackOff)";
    assert_eq!(are_ready(&read(pods)), Err(Finding::error(expected)));
}

#[test]
fn a_pod_that_is_being_deleted_is_no_running_pod() {
    let mut pods = all_ready();
    pods[1]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(are_ready(&read(pods)), Err(Finding::error("No running pods for \"linkerd-identity\"")));
}

#[test]
fn replica_sets_that_cannot_make_pods_are_listed_in_order() {
    let set = |name: &str, status: &str| {
        json!({ "metadata": { "name": name }, "status": { "replicas": 0, "conditions": [
            { "type": "ReplicaFailure", "status": status, "message": "exceeded quota" },
        ] } })
    };
    assert_eq!(can_make_pods(&read(vec![set("a", "False"), json!({ "metadata": { "name": "b" } })])), Ok(()));
    let found = can_make_pods(&read(vec![set("b", "True"), set("a", "True")]));
    let expected = "these ReplicaSets cannot make pods:\n\t* a: exceeded quota\n\t* b: exceeded quota";
    assert_eq!(found, Err(Finding::error(expected)));
}

#[test]
fn pods_without_a_node_are_listed() {
    let condition =
        json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu" });
    let waiting = json!({ "metadata": { "name": "a" }, "status": { "conditions": [condition] } });
    assert_eq!(has_nodes(&read(all_ready())), Ok(()));
    assert_eq!(has_nodes(&read(vec![waiting])), Err(Finding::error("these pods find no node:\n\t* a: no cpu")));
}

// Acceptance case 48 of installation.
#[test]
fn high_availability_needs_two_available_pods_of_each_component() {
    let deployment = |component: &&str, available: i32| json!({ "metadata": { "name": format!("linkerd-{component}") }, "status": { "availableReplicas": available } });
    let with = |first: i32| {
        COMPONENTS.iter().enumerate().map(move |(i, component)| deployment(component, if i == 0 { first } else { 3 }))
    };
    assert_eq!(have_several(&read(with(2).collect())), Ok(()));
    let expected = "not enough replicas available for [linkerd-destination]";
    assert_eq!(have_several(&read(with(1).collect())), Err(Finding::error(expected)));
    assert_eq!(have_several(&read(with(3).skip(1).collect())), Err(Finding::error(expected)));
}

#[test]
fn nodes_with_docker_need_an_init_container_that_runs_as_root() {
    let node = |name: &str, runtime: &str| {
        let mut info = json!({ "containerRuntimeVersion": runtime });
        for field in [
            "architecture",
            "bootID",
            "kernelVersion",
            "kubeProxyVersion",
            "kubeletVersion",
            "machineID",
            "operatingSystem",
            "osImage",
            "systemUUID",
        ] {
            info[field] = "".into();
        }
        json!({ "metadata": { "name": name }, "status": { "nodeInfo": info } })
    };
    let nodes: Vec<Node> = read(vec![node("a", "containerd://2"), node("b", "docker://20")]);
    assert_eq!(can_redirect(true, &nodes), Ok(()));
    assert_eq!(can_redirect(false, &nodes[..1]), Ok(()));
    assert!(matches!(can_redirect(false, &nodes), Err(Finding::Error(text)) if text.ends_with(":\n\t* b")));
}
