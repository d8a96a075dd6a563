//! The pods that a cluster would make of workloads.

use super::addresses::{suffix, uid};
use serde_json::{Map, Value, json};

/// The kinds that make pods.
pub const WORKLOADS: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController"];

/// Most pods that are made of one workload, so that a slip of the finger does not fill the memory.
pub const MAX_REPLICAS: u64 = 1_000;

/// What a cluster makes of one workload: pods, and the ReplicaSet or Job between them.
pub fn expand(workload: &Value) -> Vec<Value> {
    match workload["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            let template_hash = suffix(&workload["spec"]["template"].to_string(), 10);
            let replica_set = replica_set(workload, &template_hash);
            let pods = pods(&replica_set, replicas(workload), |i| random_name(&replica_set, i));
            std::iter::once(replica_set.clone()).chain(pods).collect()
        }
        "CronJob" => {
            let job = job(workload);
            let pods = pods(&job, parallelism(&job), |i| random_name(&job, i));
            std::iter::once(job.clone()).chain(pods).collect()
        }
        "StatefulSet" => pods(workload, replicas(workload), |i| format!("{}-{i}", name(workload))).collect(),
        // There is one node.
        "DaemonSet" => pods(workload, 1, |i| random_name(workload, i)).collect(),
        "Job" => pods(workload, parallelism(workload), |i| random_name(workload, i)).collect(),
        _ => pods(workload, replicas(workload), |i| random_name(workload, i)).collect(),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

fn replicas(workload: &Value) -> u64 {
    workload["spec"]["replicas"].as_u64().unwrap_or(1).min(MAX_REPLICAS)
}

fn parallelism(job: &Value) -> u64 {
    job["spec"]["parallelism"].as_u64().unwrap_or(1).min(MAX_REPLICAS)
}

fn random_name(owner: &Value, index: u64) -> String {
    let drawn = suffix(&format!("{}/{}/{}/{index}", owner["kind"], namespace(owner), name(owner)), 5);
    format!("{}-{drawn}", name(owner))
}

fn owned_metadata(owner: &Value, name: &str, kind: &str, template: &Value) -> Value {
    json!({
        "name": name,
        "namespace": namespace(owner),
        "uid": uid(kind, namespace(owner), name),
        "labels": template["labels"],
        "annotations": template["annotations"],
        "ownerReferences": [{
            "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }],
    })
}

fn replica_set(deployment: &Value, template_hash: &str) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    if !template["metadata"]["labels"].is_object() {
        template["metadata"]["labels"] = Value::Object(Map::new());
    }
    template["metadata"]["labels"]["pod-template-hash"] = template_hash.into();
    let set_name = format!("{}-{template_hash}", name(deployment));
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": owned_metadata(deployment, &set_name, "ReplicaSet", &template["metadata"]),
        "spec": {"replicas": replicas(deployment), "template": template},
    })
}

fn job(cron_job: &Value) -> Value {
    let template = &cron_job["spec"]["jobTemplate"];
    let job_name = format!("{}-{}", name(cron_job), suffix(&template.to_string(), 8));
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": owned_metadata(cron_job, &job_name, "Job", &template["metadata"]),
        "spec": template["spec"],
    })
}

fn pods<'a>(owner: &'a Value, count: u64, name: impl Fn(u64) -> String + 'a) -> impl Iterator<Item = Value> + 'a {
    let template = &owner["spec"]["template"];
    (0..count).map(move |index| {
        let pod_name = name(index);
        let mut spec = template["spec"].clone();
        if owner["kind"] == "StatefulSet" {
            spec["hostname"] = pod_name.as_str().into();
            spec["subdomain"] = owner["spec"]["serviceName"].clone();
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": owned_metadata(owner, &pod_name, "Pod", &template["metadata"]),
            "spec": spec,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(kind: &str, spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "spec": spec,
               "metadata": {"name": "web", "namespace": "n", "uid": "u"}})
    }

    fn template() -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}]}})
    }

    fn names(objects: &[Value], kind: &str) -> Vec<String> {
        objects.iter().filter(|object| object["kind"] == kind).map(|object| name(object).to_owned()).collect()
    }

    #[test]
    fn a_deployment_makes_pods_through_a_replica_set() {
        let made = expand(&workload("Deployment", json!({"replicas": 2, "template": template()})));
        let (sets, pods) = (names(&made, "ReplicaSet"), names(&made, "Pod"));
        assert_eq!((sets.len(), pods.len()), (1, 2));
        assert!(pods.iter().all(|pod| pod.starts_with(&format!("{}-", sets[0]))));
        let pod = &made[1];
        assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
        assert_eq!(format!("web-{}", pod["metadata"]["labels"]["pod-template-hash"].as_str().unwrap()), sets[0]);
        assert_eq!(pod["metadata"]["labels"]["app"], "web");
    }

    #[test]
    fn an_edited_template_makes_other_pods() {
        let one = expand(&workload("Deployment", json!({"template": template()})));
        let mut edited = template();
        edited["spec"]["containers"][0]["image"] = "web:2".into();
        let other = expand(&workload("Deployment", json!({"template": edited})));
        assert_ne!(names(&one, "Pod"), names(&other, "Pod"));
        assert_eq!(names(&one, "Pod"), names(&expand(&workload("Deployment", json!({"template": template()}))), "Pod"));
    }

    #[test]
    fn pods_of_a_stateful_set_are_numbered_and_have_host_names() {
        let spec = json!({"replicas": 2, "serviceName": "web-svc", "template": template()});
        let made = expand(&workload("StatefulSet", spec));
        assert_eq!(names(&made, "Pod"), ["web-0", "web-1"]);
        assert_eq!((&made[1]["spec"]["hostname"], &made[1]["spec"]["subdomain"]), (&json!("web-1"), &json!("web-svc")));
    }

    #[test]
    fn a_cron_job_runs_as_a_job() {
        let spec = json!({"jobTemplate": {"spec": {"template": template()}}});
        let made = expand(&workload("CronJob", spec));
        assert_eq!((names(&made, "Job").len(), names(&made, "Pod").len()), (1, 1));
        assert_eq!(made[0]["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    }
}
