use super::*;
use linkerd_controller::source::read_documents;
use std::path::PathBuf;

struct NoAdmission;

impl Admit for NoAdmission {
    fn admit(&self, _: &mut Value, _: &Value, _: &Lookup<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// Marks pods with the owner of their ReplicaSet.
struct MarkOwner;

impl Admit for MarkOwner {
    fn admit(&self, object: &mut Value, namespace: &Value, objects: &Lookup<'_>) -> Vec<String> {
        let owner = &object["metadata"]["ownerReferences"][0];
        let set = objects.get(text(&owner["kind"]), text(&namespace["metadata"]["name"]), text(&owner["name"]));
        let Some(set) = set else { return vec!["has no owner".to_owned()] };
        object["metadata"]["annotations"]["owner"] = set["metadata"]["ownerReferences"][0]["name"].clone();
        Vec::new()
    }
}

const MANIFEST: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ns}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web-svc, namespace: ns}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: http}]}
";

fn world(text: &str, admission: &impl Admit) -> World {
    let parsed = read_documents(text).into_iter().map(|(index, object)| (index, object.unwrap()));
    build(
        parsed.map(|(index, object)| Document { file: PathBuf::from("all.yaml"), index, object }).collect(),
        admission,
    )
}

fn of_kind<'a>(world: &'a World, kind: &str) -> Vec<&'a Value> {
    world.objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn a_deployment_and_its_service_become_pods_with_addresses_and_endpoints() {
    let world = world(MANIFEST, &NoAdmission);
    let pods = of_kind(&world, "Pod");
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| text(&pod["status"]["podIP"]).starts_with("127.")));
    assert_ne!(pods[0]["status"]["podIP"], pods[1]["status"]["podIP"]);
    let slices = of_kind(&world, "EndpointSlice");
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0]["endpoints"].as_array().unwrap().len(), 2);
    assert_eq!(slices[0]["ports"][0]["port"], 8080);
    assert!(text(&of_kind(&world, "Service")[0]["spec"]["clusterIP"]).starts_with("127."));
    assert!(of_kind(&world, "Namespace").iter().any(|namespace| namespace["metadata"]["name"] == "ns"));
}

#[test]
fn a_bad_document_is_named_with_its_field_and_the_rest_runs() {
    let world = world(MANIFEST, &NoAdmission);
    assert_eq!(world.problems.len(), 1);
    let problem = &world.problems[0];
    assert_eq!((problem.document, problem.field.as_str()), (3, "spec.ports[0].port"));
    assert_eq!(of_kind(&world, "Service").len(), 1);
}

#[test]
fn a_second_definition_is_used_and_reported() {
    let twice = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n---\n\
                 apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 2}]}\n";
    let world = world(twice, &NoAdmission);
    assert_eq!(of_kind(&world, "Service")[0]["spec"]["ports"][0]["port"], 2);
    assert!(world.problems[0].reason.contains("defined before"));
}

#[test]
fn admission_sees_the_owners_of_pods() {
    let world = world(MANIFEST, &MarkOwner);
    assert!(of_kind(&world, "Pod").iter().all(|pod| pod["metadata"]["annotations"]["owner"] == "web"));
    // A Service has no owner.
    assert_eq!(world.warnings, ["Service ns/web-svc: has no owner"]);
}

#[test]
fn a_pod_that_says_how_it_is_stays_so() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a}]}\n\
               status: {phase: Pending, podIP: 127.70.0.1}\n";
    let world = world(pod, &NoAdmission);
    assert_eq!(of_kind(&world, "Pod")[0]["status"], json!({"phase": "Pending", "podIP": "127.70.0.1"}));
}

#[test]
fn a_kustomization_is_left_out_with_a_note() {
    let kustomization =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\n---\n";
    let world = world(&(kustomization.to_owned() + MANIFEST), &NoAdmission);
    assert_eq!(world.problems.len(), 1, "that of the manifest: {:?}", world.problems);
    assert!(of_kind(&world, "Kustomization").is_empty());
    assert!(world.warnings[0].contains("kubectl kustomize"), "{:?}", world.warnings);
}
