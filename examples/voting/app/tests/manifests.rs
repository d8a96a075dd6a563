//! The manifests of the demo application against the program that they run, and against the
//! kustomization that gives them the images of the original.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> Vec<Value> {
    let path = examples().join(file);
    let content = std::fs::read_to_string(&path).expect("a manifest");
    serde_saphyr::from_multiple(&content).expect("YAML")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn deployments() -> BTreeMap<String, Value> {
    let objects = read("voting/application.yaml").into_iter().filter(|object| object["kind"] == "Deployment");
    objects.map(|object| (text(&object["metadata"]["name"]).to_owned(), object)).collect()
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn every_deployment_runs_a_role_of_the_program_at_its_version() {
    let image = format!("localhost/linkerd-rs/voting:{}", env!("CARGO_PKG_VERSION"));
    let deployments = deployments();
    assert_eq!(deployments.keys().collect::<Vec<_>>(), ["emoji", "vote-bot", "voting", "web"]);
    for (name, deployment) in deployments {
        let container = container(&deployment);
        assert_eq!(container["image"], image, "{name}");
        assert_eq!(container["args"], json!([name]));
        let help = Command::new(env!("CARGO_BIN_EXE_voting")).arg(&name).arg("--help").output().unwrap();
        assert!(help.status.success(), "the program has no role {name}");
        let help = String::from_utf8(help.stdout).unwrap();
        for variable in container["env"].as_array().unwrap() {
            let variable = text(&variable["name"]);
            assert!(help.contains(&format!("[env: {variable}=")), "{name} does not read {variable}: {help}");
        }
    }
}

/// As `emojivoto.yml` of the original has it.
#[test]
fn names_labels_and_ports_are_those_of_the_original() {
    let objects = read("voting/application.yaml");
    assert!(
        objects.iter().all(|object| object["kind"] == "Namespace" || object["metadata"]["namespace"] == "emojivoto")
    );
    let names = |kind: &str| -> BTreeSet<String> {
        let objects = objects.iter().filter(|object| object["kind"] == kind);
        objects.map(|object| text(&object["metadata"]["name"]).to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names("Namespace"), set(&["emojivoto"]));
    assert_eq!(names("ServiceAccount"), set(&["emoji", "voting", "web"]));
    for (service, ports) in [
        ("emoji-svc", json!([["grpc", 8080, 8080], ["prom", 8801, 8801]])),
        ("voting-svc", json!([["grpc", 8080, 8080], ["prom", 8801, 8801]])),
        ("web-svc", json!([["http", 80, 8080]])),
    ] {
        let object = objects.iter().find(|object| object["kind"] == "Service" && object["metadata"]["name"] == service);
        let object = object.unwrap_or_else(|| panic!("there is no Service {service}"));
        let got = object["spec"]["ports"].as_array().unwrap().iter();
        let got: Vec<_> = got.map(|port| json!([port["name"], port["port"], port["targetPort"]])).collect();
        assert_eq!(json!(got), ports, "{service}");
        assert_eq!(object["spec"]["selector"], json!({"app": service}));
    }
    for (name, app, account) in [
        ("emoji", "emoji-svc", json!("emoji")),
        ("voting", "voting-svc", json!("voting")),
        ("web", "web-svc", json!("web")),
        ("vote-bot", "vote-bot", Value::Null),
    ] {
        let deployment = &deployments()[name];
        let labels = json!({"app": app, "version": "v11"});
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(deployment["spec"]["template"]["metadata"]["labels"], labels);
        assert_eq!(deployment["spec"]["template"]["spec"]["serviceAccountName"], account);
        assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/part-of"], "emojivoto");
    }
}

/// Applies the operations of JSON Patch that the kustomization uses.
fn patch(object: &mut Value, operations: &[Value]) {
    for operation in operations {
        let path = text(&operation["path"]);
        let (parent, key) = path.rsplit_once('/').expect("a path");
        let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{path}: nothing there"));
        let value = operation["value"].clone();
        match (text(&operation["op"]), parent) {
            ("add", Value::Array(list)) if key == "-" => list.push(value),
            ("add", Value::Object(fields)) => drop(fields.insert(key.to_owned(), value)),
            ("replace", Value::Object(fields)) => *fields.get_mut(key).expect(path) = value,
            ("remove", Value::Object(fields)) => drop(fields.remove(key).unwrap_or_else(|| panic!("no {path}"))),
            (operation, parent) => panic!("{operation} at {path} in {parent}"),
        }
    }
}

#[test]
fn the_kustomization_gives_every_deployment_its_original_image_and_command() {
    let [kustomization] = &read("kustomization.yaml")[..] else { panic!("one document is wanted") };
    for resource in kustomization["resources"].as_array().unwrap() {
        assert!(examples().join(text(resource)).is_file(), "{resource}");
    }
    let mut deployments = deployments();
    for entry in kustomization["patches"].as_array().unwrap() {
        assert_eq!(entry["target"]["kind"], "Deployment");
        let operations: Vec<Value> = serde_saphyr::from_str(text(&entry["patch"])).unwrap();
        patch(deployments.get_mut(text(&entry["target"]["name"])).unwrap(), &operations);
    }
    for (name, image, command) in [
        ("web", "emojivoto-web", Value::Null),
        ("emoji", "emojivoto-emoji-svc", Value::Null),
        ("voting", "emojivoto-voting-svc", Value::Null),
        ("vote-bot", "emojivoto-web", json!(["emojivoto-vote-bot"])),
    ] {
        let container = container(&deployments[name]);
        assert_eq!(container["image"], format!("docker.l5d.io/buoyantio/{image}:v11"), "{name}");
        assert_eq!((&container["command"], &container["args"]), (&command, &Value::Null), "{name}");
    }
}
